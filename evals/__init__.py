"""How do we know: scenarios, scoring, harnesses and benchmarks."""
