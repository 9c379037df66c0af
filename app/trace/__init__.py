"""One run, step by step: how a stranger finds out why something happened."""
