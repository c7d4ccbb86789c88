"""Projections W ↦ W for after an optimiser's step, wrong on purpose, and right variants beside them."""
