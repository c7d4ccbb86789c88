"""One folder a method: ``reference`` (NumPy), ``pytorch`` (for use), ``enclosure`` (balls); see ``catalogue``."""
