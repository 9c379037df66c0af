"""How fast is it, and beside what? Rows of ratios, each against a bare program measured in the same run.

Promises: the two sides take turns on one machine and one database server; what is reported is the median of the rounds
with their spread. Refuses to compare with figures of another machine or another day.
"""
