"""Orthogonal weight normalization (Huang et al. 2018; DSWN with G = I): W = Σ^{-1/2} V_C, the polar factor of V_C."""
