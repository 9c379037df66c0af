"""The double of Claude's Messages API."""
