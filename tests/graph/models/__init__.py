"""Tests of graph.models."""
