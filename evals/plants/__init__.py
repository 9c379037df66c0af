"""Safeguards taken out one at a time, to see that the harness notices."""
