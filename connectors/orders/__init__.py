"""The shop's orders over a small typed HTTP contract."""
