"""Double soft orthogonality: the penalty ‖Wᵀ W − I‖_F² + ‖W Wᵀ − I‖_F²."""
