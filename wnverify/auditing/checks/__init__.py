"""The checks: one decorated function each, one file a family."""
