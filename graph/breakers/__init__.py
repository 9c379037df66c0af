"""Breakers: figures that make the agent stop acting by itself, what they stop, and how they are reset."""
