"""Stiefel layer (Harandi and Fernando 2016): Riemannian gradient and retraction onto orthonormal rows."""
