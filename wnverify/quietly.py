"""Silence around what compilers, exporters and batching rules have to say."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without what is logged, warned and printed on standard error; what is refused is raised all the same."""
    before = logging.root.manager.disable
    if before < logging.CRITICAL:  # it forgets what every logger knows: dear inside a loop that is quiet already
        logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        if before < logging.CRITICAL:
            logging.disable(before)
