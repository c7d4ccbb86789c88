"""Where the numerics lab runs a map: on which device, and on how many threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


def absent(device: str) -> str:
    """Why nothing can be run on ``device`` here; empty where it can.  ``ValueError`` for what is no device at all."""
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError):
        kind = "meta"
    if kind == "meta":
        raise ValueError(f"device must be one that holds numbers (cpu, cuda, cuda:1, mps, xpu); got {device!r}")
    try:
        torch.zeros((), device=device).cpu()
    except (AssertionError, NotImplementedError, RuntimeError):  # each backend says no in its own way
        return f"this machine has no device {device!r} that its PyTorch can use"
    return ""


def on(device: str) -> str:
    """The end of a finding's id: where it was found out, unless on the processor."""
    return "" if device == "cpu" else f"@{device.replace(':', '.')}"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """With one intra-op thread: the same sums in the same order on every machine of a type."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
