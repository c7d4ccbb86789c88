"""Mean-only batch normalization (Salimans and Kingma 2016): the batch mean is taken off, nothing is divided."""
