"""Data, networks, training runs and what they say of the papers' claims on training."""
