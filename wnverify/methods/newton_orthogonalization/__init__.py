"""Orthogonalization by Newton's iteration (Huang et al. 2020): singular values stretched towards one."""
