"""Which tensors a subject makes without saying where: on the CPU that is the weight's device too, on a GPU it is not.

No second device is needed: a tensor from a factory that was told no device, or an attribute that is neither a
parameter nor a buffer, is marked; so is what is computed from marked tensors alone.  An operation that takes a marked
tensor together with the weight, or with what came of it, would be refused on another device.  Scalars may mix, what
is moved (``to``, ``type_as``) is marked no more, and an index may lie anywhere.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves

FACTORIES: Final = frozenset(
    getattr(torch, name)
    for name in (
        "arange",
        "as_tensor",
        "bartlett_window",
        "blackman_window",
        "empty",
        "eye",
        "from_numpy",
        "full",
        "hamming_window",
        "hann_window",
        "kaiser_window",
        "linspace",
        "logspace",
        "normal",
        "ones",
        "rand",
        "randint",
        "randn",
        "randperm",
        "tensor",
        "tril_indices",
        "triu_indices",
        "zeros",
    )
)
MEETS: Final = frozenset({"type_as", "cuda", "cpu", "__setitem__", "copy_", "__set__"})
"""What moves a tensor, or takes one from anywhere."""
KEPT: Final = frozenset(vars(nn.Module()))
"""Where a module keeps its parameters, its buffers and its parts."""


def misplaced(call: Callable[[], object], module: nn.Module | None) -> list[str]:
    """The operations of ``call()`` that would meet two devices, by name, in order and each once."""
    watch = _Watch()
    for tensor in _loose(module):
        watch.mark(tensor)
    with watch:
        call()
    return list(dict.fromkeys(watch.found))


def _loose(module: nn.Module | None) -> Iterator[Tensor]:
    """Tensors that ``module.to(device)`` leaves where they are."""
    for part in () if module is None else module.modules():
        for value in tree_leaves([own for name, own in vars(part).items() if name not in KEPT]):
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                yield value


class _Watch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._marked: dict[int, weakref.ref[Tensor]] = {}

    def mark(self, tensor: Tensor) -> None:
        self._marked[id(tensor)] = weakref.ref(tensor)

    def _is_marked(self, tensor: Tensor) -> bool:
        kept = self._marked.get(id(tensor))
        return kept is not None and kept() is tensor

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        out = func(*args, **given)
        if func in FACTORIES:
            placed = given.get("device") is not None or any(isinstance(a, Tensor) for a in args)
            if not placed and isinstance(out, Tensor):
                self.mark(out)
            return out
        name = getattr(func, "__name__", "")
        if name in MEETS or (name == "to" and _says_where(args[1:], given)):
            return out
        if name == "__getitem__":
            args = args[:1]  # the index may lie anywhere
        inputs = [leaf for leaf in tree_leaves((args, given)) if isinstance(leaf, Tensor)]
        marked = [tensor for tensor in inputs if self._is_marked(tensor)]
        others = [tensor for tensor in inputs if not self._is_marked(tensor)]
        if any(tensor.dim() for tensor in marked) and any(tensor.dim() for tensor in others):
            self.found.append(resolve_name(func) or name)
        elif marked and not others:
            for leaf in tree_leaves(out):
                if isinstance(leaf, Tensor):
                    self.mark(leaf)
        return out


def _says_where(args: Any, given: Any) -> bool:
    """Whether ``tensor.to(…)`` is told a device, or a tensor whose device to take."""
    return any(isinstance(said, Tensor | torch.device | str | int) for said in (*args[:1], given.get("other"))) or (
        given.get("device") is not None
    )
