"""Pictures of the pages for the docs, made by one command from a demo's own data."""
