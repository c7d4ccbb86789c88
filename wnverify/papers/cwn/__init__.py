"""Centred weight normalization (supplement): its propositions, its gradient, and what the prose asserts."""
