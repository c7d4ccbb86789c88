"""Constrained weight optimization: its constraints, its update, its view of reparametrization, and its tables."""
