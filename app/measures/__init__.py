"""The measures: how well the agent serves, what it costs, what it got wrong; computed from the log and nothing else."""
