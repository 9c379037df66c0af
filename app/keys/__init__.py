"""The installation's keys: where master keys are kept, what is sealed with them, and how they are changed."""
