"""What waits for people: who has it, in which order, what was only a check, and what is looked at afterwards."""
