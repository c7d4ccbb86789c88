"""Bounds beside exact complexities: for a user's data, and as findings of the report."""
