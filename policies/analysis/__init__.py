"""What a policy means, worked out for every case at once: findings about one file, the difference of two.

Exact, never sampled: the thresholds and words that a policy mentions cut each fact into finitely many pieces, and
inside one cell of pieces `decide` answers alike. Cells are kept as shared decision diagrams, not one by one. Where
that grows past a stated bound, the bound is said. Pure, like the rest of `policies`.
"""
