"""The correction loop: what people said no to, rewrote or stopped, and what is made of it."""
