"""Rows of root mean square 1: W = √d diag(1/‖v_i‖) V."""
