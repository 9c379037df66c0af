"""The connectors as an operator sees them: health, scopes, head room, credentials, and what the agent can do."""
