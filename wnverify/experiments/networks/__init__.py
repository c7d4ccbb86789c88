"""The papers' networks, with batch normalization where their sources have it; methods are applied to them by name."""
