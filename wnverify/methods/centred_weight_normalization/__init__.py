"""Centred weight normalization (Huang et al. 2017): rows centred, then divided by their norms."""
