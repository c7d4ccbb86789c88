"""What is judged, as a NumPy array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def real(value: Any, name: str) -> NDArray[np.float64]:
    """``value`` in float64; ``TypeError`` for complex numbers, of which NumPy would keep the real part alone.

    >>> real([[1, 2]], "V")
    array([[1., 2.]])
    """
    array = np.asarray(value)
    if np.iscomplexobj(array):
        raise TypeError(f"{name} must be real; got {array.dtype}")
    return array.astype(np.float64, copy=False)
