"""Executable claims of *Deep structural weight normalization* (DSWN)."""
