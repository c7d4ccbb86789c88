"""Generalization theory of L1,∞-constrained networks: bounds, exact Rademacher complexities, cost."""
