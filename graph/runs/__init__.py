"""Runs, their stored inputs and outputs, leases, and what advances them."""
