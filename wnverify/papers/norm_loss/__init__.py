"""The claims of *Norm loss: an efficient yet effective regularization method for deep neural networks*."""
