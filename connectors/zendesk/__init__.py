"""Zendesk, through zenpy: tickets in, one update out, the cursor export, signatures."""
