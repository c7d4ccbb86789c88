"""A subject built for one weight, called the same way whatever its kind."""

from __future__ import annotations

import copy
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

OURS: Final = frozenset({"wnverify", "torch", "numpy", "scipy", "hypothesis"})
"""Packages in whose code a check may fail by itself."""
FOREIGN: Final = "wnverify.faults."
"""Planted faults are foreign code in this package."""


class Instance:
    """A subject built for one weight: ``tensors`` (what it maps) and the module or other callable that does it.

    ``primary`` is the index of the tensor with the weight's shape, V; the others (a gain g) keep the values that
    ``right_inverse`` gave them.  ``scalar``: it is a penalty, whose value has no axes.  ``prox``: the proximal operator
    beside a penalty that is a function; an object's own is found on the object.
    """

    def __init__(
        self,
        module: nn.Module | None,
        call: Callable[..., Any],
        tensors: Sequence[Tensor],
        primary: int,
        *,
        scalar: bool = False,
        prox: Callable[..., Any] | None = None,
    ):
        self.module = module
        self._call = call
        self.tensors = tuple(t.detach().clone() for t in tensors)
        self.primary = primary
        self.scalar = scalar
        self._prox = prox

    def __call__(self, *tensors: Tensor) -> Tensor:
        """W of these tensors, or the penalty's value; a ``TypeError`` when what comes back is no tensor."""
        out = self._call(*tensors)
        if not isinstance(out, Tensor):
            raise TypeError(f"forward must return one tensor; it returned {type(out).__name__}")
        return out

    def out(self) -> Tensor:
        """W of the tensors as they were built."""
        return self(*self.tensors)

    def at(self, V: Tensor) -> Tensor:
        """W of V, the other tensors staying as they were built."""
        return self(*self.with_primary(V))

    def prox(self, W: Tensor, step: float) -> Tensor:
        """The proximal point of W; a ``TypeError`` when what comes back is no tensor."""
        operator = self._operator
        if operator is None:
            raise TypeError("there is no prox(W, step) beside the penalty")
        with torch.no_grad():
            out = operator(W, step)
        if not isinstance(out, Tensor):
            raise TypeError(f"prox must return one tensor; it returned {type(out).__name__}")
        return out

    @property
    def callable(self) -> Callable[..., Any]:
        """What is called: the module, or another callable."""
        return self._call

    @property
    def has_prox(self) -> bool:
        return self._operator is not None

    def with_primary(self, V: Tensor) -> tuple[Tensor, ...]:
        return tuple(V if i == self.primary else t.to(V.dtype) for i, t in enumerate(self.tensors))

    def output_shape(self, V: Tensor) -> torch.Size:
        """The shape of a right output: that of V, none for a penalty's value."""
        return torch.Size(()) if self.scalar else V.shape

    @property
    def V(self) -> Tensor:
        return self.tensors[self.primary]

    def to(self, dtype: torch.dtype) -> Instance:
        """The same map, module and tensors converted: one initialisation seen in two dtypes."""
        module = None if self.module is None else copy.deepcopy(self.module).to(dtype)
        return self.around(module, module or self._call, [t.to(dtype) for t in self.tensors])

    def around(
        self, module: nn.Module | None, call: Callable[..., Any], tensors: Sequence[Tensor] | None = None
    ) -> Instance:
        """The same instance with another callable in the place of its own."""
        kept = self.tensors if tensors is None else tensors
        return Instance(module, call, kept, self.primary, scalar=self.scalar, prox=self._prox)

    def eval(self) -> Instance:
        if self.module is not None:
            self.module.eval()
        return self

    @property
    def _operator(self) -> Callable[..., Any] | None:
        own = getattr(self._call, "prox", None)
        return own if callable(own) else self._prox


def raised_by_subject(error: BaseException) -> bool:
    """Whether an error came out of a call of the subject or of its graph, or its innermost frame is foreign code, as in
    a backward that autograd calls: what we ask of PyTorch ourselves, and fail to do, is our own."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if any(frame.f_code in (Instance.__call__.__code__, Instance.prox.__code__) for frame in frames):
        return True
    if frames and frames[-1].f_code.co_name == "_engine_run_backward":
        return True
    name = str(frames[-1].f_globals.get("__name__")) if frames else ""
    return name.startswith(FOREIGN) or name.partition(".")[0] not in OURS | sys.stdlib_module_names


def _widening(inverse: Callable[[Tensor], Any], V: Tensor, found: Sequence[int]) -> list[int]:
    """Which of these tensors has one more column for a weight that has one; none where the map refuses that weight."""
    wider = torch.cat([V, 1 + V[:, :1].abs()], dim=1)
    try:
        with torch.no_grad():
            made = inverse(wider)
    except Exception:  # a map that was built for one shape may refuse any other in its own way
        return []
    made = made if isinstance(made, tuple | list) else [made]
    return [i for i in found if i < len(made) and made[i].shape == wider.shape]


class Chain(nn.Module):
    """The parametrizations of one tensor of a layer, one after the other, as the layer applies them."""

    def __init__(self, steps: Iterable[nn.Module]):
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, *originals: Tensor) -> Any:
        first, *others = self.steps
        out = first(*originals)
        for step in others:
            out = step(out)
        return out


def fitting(
    module: nn.Module, tensors: Sequence[Tensor], V: Tensor, inverse: Callable[[Tensor], Any] | None = None
) -> Instance:
    """The instance whose V is the tensor of the weight's shape.

    Where several have it (a gain for each row beside a weight of one column) it is the one that widens with the weight
    under ``inverse``, the map's ``right_inverse``; where that cannot be asked, the last.
    """
    found = [i for i, t in enumerate(tensors) if t.shape == V.shape]
    if len(found) > 1 and inverse is not None:
        found = _widening(inverse, V, found) or found
    if not found:
        shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
        raise TypeError(f"no tensor of the parametrization has the weight's shape {tuple(V.shape)}; they have {shapes}")
    return Instance(module, module, tensors, found[-1])
