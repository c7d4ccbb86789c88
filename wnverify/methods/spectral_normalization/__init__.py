"""Spectral normalization: the weight over its largest singular value."""
