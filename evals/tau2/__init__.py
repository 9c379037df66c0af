"""The retail tasks of a tau2-bench checkout that the user has, played as tickets. Nothing of it is copied here."""
