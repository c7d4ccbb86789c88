"""Mutual coherence regularization: the penalty ‖W Wᵀ − I‖_∞."""
