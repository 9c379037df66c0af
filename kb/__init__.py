"""What do we know: documents in, cited sections out."""
