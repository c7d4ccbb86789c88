"""A weight in several processes: the processes, and what is tried in them."""
