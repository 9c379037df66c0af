"""Safeguards taken out one at a time, to see that a trial notices. What no trial misses is not guarded."""
