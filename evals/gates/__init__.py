"""Gates that need runs, and the command that puts a version through all of them; each writes a row for publishing."""
