"""What is outside: one adapter per vendor, and the sandbox that stands in for them. A call ends in Done, Refused or Unknown."""
