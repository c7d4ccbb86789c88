"""Gradient centralization (Yong et al. 2020): every row of the gradient less its mean; the weight is left alone."""
