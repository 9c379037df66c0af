"""Who is in front of it: accounts, passwords, sessions, one-time links, single sign-on, and what each role may do."""
