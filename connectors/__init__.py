"""What is outside: an adapter per vendor, and the sandbox in their place. A call ends Done, Refused or Unknown."""
