"""Replies: paragraphs with typed slots that code fills from facts, and nothing a model or a customer wrote."""
