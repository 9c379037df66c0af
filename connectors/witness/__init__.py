"""Where checkpoints of the log are kept, out of reach of who owns the database: a folder, a witness, a bucket."""
