"""DSWN with sparsity measurement: φ(V) = Σ^{-1/2} V_C, every entry shrunk by η times the 1-norm of its group."""
