"""Tests of app.trace."""
