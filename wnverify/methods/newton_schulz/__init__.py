"""The quintic Newton-Schulz iteration of the Muon optimiser (Jordan et al. 2024), as a parametrization."""
