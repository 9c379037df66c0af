"""Stateful HTTP doubles of the vendors, with faults on demand. Only the composition root starts them."""
