"""Tests of graph.intake."""
