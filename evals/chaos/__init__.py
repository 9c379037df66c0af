"""Tickets while everything around them breaks, and the count of what came of it."""
