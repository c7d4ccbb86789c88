"""Orthonormal rows by a QR decomposition: Gram-Schmidt on the rows, in order."""
