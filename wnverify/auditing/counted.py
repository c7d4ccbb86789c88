"""Work and memory of one forward and backward, counted and not timed: the same on every machine.

Multiplications and additions of matrix products come from torch's own formulas; of factorizations from the leading
terms below (G. H. Golub and C. F. Van Loan, *Matrix Computations*, 4th ed. 2013, chapters 3–5, 7, 8: LU 2n³/3,
Cholesky n³/3, QR 2n²(m − n/3), symmetric eigenproblem 9n³, general 25n³, thin singular value decomposition
14mn² + 8n³, which singular values to be differentiated need too, triangular solve n²k); of everything else one
operation for each entry that is read or written, the larger of both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """``work``: scalar operations; ``calls``: operators called; ``made``: bytes of all tensors made on the way;
    ``saved``: bytes kept for the backward beside the weight itself; ``opaque``: operators that cannot be looked into.
    """

    work: float
    calls: int
    made: int
    saved: int
    opaque: tuple[str, ...] = ()


def cost_of(value: Callable[[Tensor], Tensor], V: Tensor) -> Cost:
    """The cost of ``value(V)`` and, where its output has a graph, of one backward from a cotangent of ones."""
    leaf = V.detach().clone().requires_grad_()
    own = leaf.untyped_storage().data_ptr()
    kept: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        place = saved.untyped_storage().data_ptr()
        if place != own:
            kept[place] = saved.untyped_storage().nbytes()
        return saved

    counter = _Counter()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        with counter:
            out = value(leaf)
        saved = sum(kept.values())
    if out.requires_grad:
        cotangent = torch.ones_like(out)
        with counter:
            torch.autograd.grad(out, leaf, cotangent, allow_unused=True)
    return Cost(counter.work, counter.calls, counter.made, saved, tuple(sorted(counter.opaque)))


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = 0.0
        self.calls = 0
        self.made = 0
        self.opaque: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.is_view or func.namespace == "prim":
            return out
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.calls += 1
        self.work += _work(func, args, kwargs or {}, inputs, outputs, out)
        known = {tensor.untyped_storage().data_ptr() for tensor in inputs}
        self.made += sum(t.untyped_storage().nbytes() for t in outputs if t.untyped_storage().data_ptr() not in known)
        if func.namespace not in ("aten", "prims"):
            self.opaque.add(str(func.overloadpacket))
        return out


def _work(func: Any, args: Any, kwargs: Any, inputs: list[Tensor], outputs: list[Tensor], out: Any) -> float:
    packet = func.overloadpacket
    if packet in flop_registry:
        return float(flop_registry[packet](*args, **kwargs, out_val=out))
    name = packet.__name__.removeprefix("_").removesuffix("_ex")
    matrices = [tensor for tensor in inputs if tensor.dim() >= 2]
    if name in FACTORIZATIONS and matrices:
        return FACTORIZATIONS[name](*_sizes(matrices))
    entries = max((tensor.numel() for tensor in (*inputs, *outputs)), default=0)
    return float(entries) * (math.log2(entries) if name in ("sort", "argsort", "topk") and entries > 1 else 1.0)


def _sizes(matrices: list[Tensor]) -> tuple[float, float, float, float]:
    """Number of matrices, larger and smaller side of the first, columns of the last."""
    *batch, m, n = matrices[0].shape
    return float(math.prod(batch)), float(max(m, n)), float(min(m, n)), float(matrices[-1].shape[-1])


def _times(formula: Callable[[float, float, float], float]) -> Callable[[float, float, float, float], float]:
    return lambda batch, m, n, k: batch * formula(m, n, k)


FACTORIZATIONS: Final[dict[str, Callable[[float, float, float, float], float]]] = {
    "linalg_cholesky": _times(lambda m, n, k: n**3 / 3),
    "linalg_lu_factor": _times(lambda m, n, k: 2 * n**3 / 3),
    "linalg_lu": _times(lambda m, n, k: 2 * n**3 / 3),
    "linalg_det": _times(lambda m, n, k: 2 * n**3 / 3),
    "linalg_slogdet": _times(lambda m, n, k: 2 * n**3 / 3),
    "linalg_inv": _times(lambda m, n, k: 2 * n**3),
    "linalg_solve": _times(lambda m, n, k: 2 * n**3 / 3 + 2 * n**2 * k),
    "linalg_lu_solve": _times(lambda m, n, k: 2 * n**2 * k),
    "cholesky_solve": _times(lambda m, n, k: 2 * n**2 * k),
    "linalg_solve_triangular": _times(lambda m, n, k: n**2 * k),
    "triangular_solve": _times(lambda m, n, k: n**2 * k),
    "linalg_qr": _times(lambda m, n, k: 4 * n**2 * (m - n / 3)),
    "linalg_householder_product": _times(lambda m, n, k: 2 * n**2 * (m - n / 3)),
    "linalg_eigh": _times(lambda m, n, k: 9 * n**3),
    "linalg_eig": _times(lambda m, n, k: 25 * n**3),
    "linalg_eigvals": _times(lambda m, n, k: 10 * n**3),
    "linalg_svd": _times(lambda m, n, k: 14 * m * n**2 + 8 * n**3),
    "linalg_matrix_exp": _times(lambda m, n, k: 20 * n**3),
}
"""Leading terms for one matrix with sides m ≥ n, and k right-hand sides."""


def exponents(sizes: tuple[int, ...], values: list[float]) -> Iterator[float]:
    """The local exponents log(v_j / v_i) / log(m_j / m_i) of neighbouring sizes; 0 where a value is 0."""
    for i in range(len(sizes) - 1):
        grown = values[i + 1] / values[i] if values[i] > 0 and values[i + 1] > 0 else 1.0
        yield math.log(grown) / math.log(sizes[i + 1] / sizes[i])


def work_of(f: Callable[[Tensor], Tensor], V: Tensor) -> float:
    """The scalar operations of one step; 0 for what cannot be watched, which is a finding of cost.work."""
    try:
        return float(cost_of(f, V).work)
    except Exception:  # foreign code may raise anything
        return 0.0
