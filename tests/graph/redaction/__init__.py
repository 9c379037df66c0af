"""Tests of graph.redaction."""
