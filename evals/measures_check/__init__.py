"""Are the measures what the log says? A generated month, its figures, and the same figures by other code."""
