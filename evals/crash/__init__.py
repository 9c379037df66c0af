"""Killing a real worker before and after every point at which it touches the world."""
