"""The local model: triage of a ticket on the processor, without a key and without a network."""
