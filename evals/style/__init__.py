"""How replies read, graded by a model, with how far the grader agrees with people."""
