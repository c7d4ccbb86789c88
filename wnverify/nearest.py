"""What a name that is not known may have been meant for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(name: str, known: Iterable[str], *, most: int = 3) -> str:
    """The question after the known names that are nearest, ``most`` of them; empty where none is near.

    >>> meant("contract.shap", ["contract.shape", "edge.scale"])
    "did you mean 'contract.shape'?"
    >>> meant("nothing of the sort", ["contract.shape", "edge.scale"])
    ''
    """
    near = difflib.get_close_matches(name, list(known), n=most)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""
