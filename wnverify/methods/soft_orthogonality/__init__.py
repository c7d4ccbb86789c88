"""Soft orthogonality: the penalty ‖W Wᵀ − I‖_F², or its square root."""
