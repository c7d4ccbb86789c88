"""Claims of Wen, Xu, Zheng, Yang and Wang, *Sparse deep neural networks using L1,∞-weight normalization* (2021)."""
