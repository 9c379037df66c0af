"""What a candidate policy would have answered in the past: recorded decisions as columns, decided all at once.

Promises: the columns answer what `policies.evaluate.decide` answers, row by row; the same history and the same policy
give the same result and the same digest on every machine. Reads no file and no database: both are handed over.
"""
