"""Penalties W ↦ scalar, wrong on purpose, and right variants beside them."""
