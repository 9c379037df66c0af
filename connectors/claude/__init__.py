"""Claude, through the anthropic SDK: one structured call with its usage."""
