"""Tests of graph.replies."""
