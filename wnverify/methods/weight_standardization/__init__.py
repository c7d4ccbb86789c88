"""Weight standardization: rows of zero mean and unit standard deviation."""
