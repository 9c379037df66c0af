"""How tickets come in: the inbox, the sweeper, and what is recognised and recorded instead of run."""
