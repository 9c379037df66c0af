"""The room of the ops lead: thresholds on real history, the policy's text, and what stops the agent."""
