"""Group lasso: the sum of the Euclidean norms of rows or columns, and block soft-thresholding."""
