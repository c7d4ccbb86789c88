"""What a run needs to go on: written whole or not at all, read back only by the run that wrote it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, Final

import torch

from wnverify.finding import dumps

NAME: Final = "checkpoint.pt"


class CheckpointError(ValueError):
    """The file is no checkpoint of this run: the message says what differs."""


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state after ``epoch`` epochs: of the model, the optimiser and the loss scaling, and what was seen so far."""

    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    history: list[dict[str, Any]]


def save(folder: Path, settings: dict[str, Any], checkpoint: Checkpoint) -> Path:
    """Write into ``folder``; an interruption leaves the older file.  ``settings``: all that the run depends on."""
    folder.mkdir(parents=True, exist_ok=True)
    path, new = folder / NAME, folder / f"{NAME}.new"
    fields = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)}
    torch.save({"settings": dumps(settings), **fields}, new)
    os.replace(new, path)
    return path


def load(folder: Path, settings: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint in ``folder``, or None; ``CheckpointError`` where it is another run's, or damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        stored = torch.load(path, weights_only=True)
        said = stored.pop("settings")
        found = Checkpoint(**stored)
    except Exception as error:  # a truncated archive raises whatever its reader meets first
        raise CheckpointError(f"{path.name} is truncated or no checkpoint: {type(error).__name__}: {error}") from error
    if said != dumps(settings):
        raise CheckpointError(
            f"{path.name} is of a run with other settings or data: {said} there, {dumps(settings)} here"
        )
    return found
