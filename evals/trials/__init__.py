"""Trials of real processes: where they run, how they are killed, and who judges.

Promises: hooks and plants are put in when a forked process starts, so the product has no switch for them; the judge
reads the vendors' doubles and never our own word. Refuses to reach anything but this machine.
"""
