"""Combined group and exclusive sparsity (Yoon and Hwang 2017), mixed differently from layer to layer."""
