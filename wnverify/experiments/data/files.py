"""Bytes of the published file formats: read whole, checked before anything is believed, errors with file and byte."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from wnverify.experiments.data.samples import DataError


def directory(path: str | Path) -> Path:
    """The directory that the user names; ``DataError`` where it is none."""
    found = Path(path)
    if not found.is_dir():
        raise DataError(f"directory must be an existing folder; got {str(path)!r}")
    return found


def present(folder: Path, *names: str) -> Path:
    """The first of ``names`` in ``folder`` that exists; ``DataError`` that lists all of them."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder.name} must hold {' or '.join(names)}; it holds {listed(folder)}")


def listed(folder: Path, most: int = 5) -> str:
    """The first few names in a folder, for messages."""
    names = sorted(path.name for path in folder.iterdir())
    more = f", … ({len(names)} in all)" if len(names) > most else ""
    return (", ".join(names[:most]) or "nothing") + more


def content(path: Path) -> bytes:
    """All bytes, unpacked where the file is compressed by gzip; ``DataError`` where the packing breaks off."""
    packed = path.read_bytes()
    if not packed.startswith(b"\x1f\x8b"):
        return packed
    try:
        return gzip.decompress(packed)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{path.name}: gzip data breaks off or is damaged among its {len(packed)} bytes: {error}"
        ) from None


def exactly(path: Path, data: bytes, expected: int, what: str) -> None:
    """``DataError`` unless the file has ``expected`` bytes; it says where it breaks off or what is too much."""
    if len(data) < expected:
        raise DataError(f"{path.name} breaks off at byte {len(data)}: {what} need {expected} bytes")
    if len(data) > expected:
        raise DataError(f"{path.name} has {len(data) - expected} bytes too many after byte {expected}: {what}")
