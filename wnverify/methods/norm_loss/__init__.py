"""Norm loss (Georgiou et al.): the penalty Σ_i (1 − ‖w_i‖)² on the rows of a weight."""
