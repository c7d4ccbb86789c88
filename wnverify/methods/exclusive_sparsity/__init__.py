"""Exclusive sparsity: half the sum of squared L1 norms of rows or columns, with its exact proximal operator."""
