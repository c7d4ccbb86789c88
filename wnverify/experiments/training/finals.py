"""What an experiment may measure of the trained network beside the last record, by name: strings only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_HERE: Final = "wnverify.experiments.training"
FINALS: Final[Mapping[str, str]] = {"rankings": f"{_HERE}.rankings:rankings", "columns": f"{_HERE}.pictures:columns"}
"""Name, under which the figures stand in the record → module:function of (run, data), nested figures."""
