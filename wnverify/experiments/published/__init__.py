"""The papers' experiments as data, one module a paper; each has ``EXPERIMENTS``."""
