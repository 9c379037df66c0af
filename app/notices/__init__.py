"""Telling people elsewhere what the log already says. A message is a view: nothing waits for it or depends on it."""
