"""Projection based weight normalization (Huang et al. 2017): rows brought back to unit norm every few steps."""
