"""Planted faults and right variants, shipped with the package."""
