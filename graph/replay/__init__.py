"""Runs decided again from what was recorded: exactly, or with another policy or model. Nothing outside is touched."""
