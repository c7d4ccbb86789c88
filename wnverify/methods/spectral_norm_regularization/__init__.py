"""Spectral norm regularization (Yoshida and Miyato 2017): the penalty ½ σ_1(W)²."""
