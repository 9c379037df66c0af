"""The log, sent on to where a company keeps its logs: what leaves, in which form, and how far each sink is."""
