"""Scale and bias with noise (Ikami, Irie and Shibata): what stands in the place of an activation normalization."""
