"""The grammar of a policy file: YAML text to typed parts, each error with its line and column."""
