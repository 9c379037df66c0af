"""Taking a person out of everything that is stored: one transaction, one event, and a hold that forbids it."""
