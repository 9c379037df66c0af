"""Scenario files: read, played against the doubles, scored by what the doubles hold in the end, reported, compared."""
