"""Constrained weight optimization (CWO): after every step rows of zero mean and of the same norm √c."""
