"""Jacobian regularization: the penalty ‖∂f(x)/∂x‖_F² of a network f, averaged over a batch."""
