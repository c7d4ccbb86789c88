"""The version, written here alone: the wheel, ``--version``, results.json and the documentation read it."""

from typing import Final

VERSION: Final = "0.1.0"
