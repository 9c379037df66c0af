"""Tickets written to trick the agent, each against the same ticket without the trick."""
