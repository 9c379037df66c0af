"""What was decided, kept for later: each decision with the facts as they were, and histories made up for trying.

Promises: a recorded decision holds no personal data, and is written in the transaction of the decision itself.
"""
