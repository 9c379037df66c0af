"""Zendesk's double: tickets, comments, users and webhooks with the vendor's semantics, in memory."""
