"""What happens: the state machine, its nodes, intake, settlement (the only money path) and the audit log."""
