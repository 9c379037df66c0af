"""The security packet: what an installation can do, what it cannot, and what shows that, from how it is configured."""
