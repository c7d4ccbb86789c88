"""The audit of anybody's normalization variant; ``wnverify.audit`` is the function."""
