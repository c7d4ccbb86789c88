"""The house beside its peers, measured side by side: ``python -m benchmarks``."""
