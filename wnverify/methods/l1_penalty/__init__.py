"""L1 penalty: the sum of absolute weights, and soft-thresholding as its proximal operator."""
