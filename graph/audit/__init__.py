"""The append-only log, written in the transaction of the change it records."""
