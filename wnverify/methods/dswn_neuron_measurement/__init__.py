"""DSWN with neuron measurement: W = φ(V) G^{-1}, φ(V) = Σ^{-1/2} V_C, g_j = τ / (2 ‖column j of V_C‖ + ε)."""
