"""Variants of ``V -> W``, wrong and right, written as foreign code: torch and nothing of the lab."""
