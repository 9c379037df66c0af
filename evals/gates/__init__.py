"""Gates: what must hold before a version of a policy may loosen anything. Each writes one row that publishing reads."""
