"""Tests of app.waiting."""
