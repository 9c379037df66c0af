"""How the database came to be what it is: one file for each step in `versions`, forward only."""
