"""Imported by a child before its first run: what would be loaded inside it, and look as if it had altered the process.

The first optimiser step loads ``torch._dynamo``, the digits load scikit-learn; both set environment variables.
"""

from __future__ import annotations

import contextlib
import importlib

import torch._dynamo  # noqa: F401

with contextlib.suppress(ImportError):  # the digits alone need it, and say so
    importlib.import_module("sklearn.datasets")
