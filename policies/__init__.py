"""What may happen: money, facts, proposals, verdicts and the rules that join them. Pure: no I/O, clock or chance."""
