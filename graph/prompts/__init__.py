"""Prompt texts, one file each; a call's event carries the hash of the text it used."""
