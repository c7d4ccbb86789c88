"""Spectral restricted isometry property regularization (SRIP): the penalty σ(W Wᵀ − I), the spectral norm."""
