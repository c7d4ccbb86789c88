"""What several methods need: row norms, centring, the polar factor and their derivatives (NumPy and PyTorch)."""
