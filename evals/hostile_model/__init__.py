"""A model that is an attacker: every value it can say, and what is no value, against every class of facts."""
