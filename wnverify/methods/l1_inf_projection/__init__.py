"""L1,∞ weight normalization (Wen et al. 2021): every unit's weights and bias projected onto an L1 ball."""
