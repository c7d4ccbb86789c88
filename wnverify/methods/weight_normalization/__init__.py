"""Weight normalization (Salimans and Kingma 2016): W = diag(g) diag(1/‖v_i‖) V."""
