"""Redaction: personal data leaves the text before a log or a model sees it, and a failure stops the text."""
