"""What a training step keeps and needs: every parametrization of the house beside its formula under plain autograd.

For float32 weights (64, 576) and (256, 2304): bytes that autograd keeps between forward and backward beside V, which is
the parameter, and W, which the layer keeps anyway; and the largest resident set of a process above that before its
first step.  Each contender runs in processes of its own, started afresh, one at a time and in turns, with one thread.
The exit status is 1 where a parametrization keeps more bytes than its formula written plainly.

    python benchmarks/memory.py [--json FILE] [--repetitions N]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.finding import Evidence, Finding, Verdict, seed_of, slug
from wnverify.numerics.forms import Form, judged
from wnverify.report import results

SHAPES: Final = ((64, 576), (256, 2304))


def centred(V: Tensor) -> Tensor:
    return V - V.mean(1, keepdim=True)


def frame(V: Tensor) -> Tensor:
    """Σ^{-1/2} V_C through ``eigh``."""
    X = centred(V)
    eigenvalues, D = torch.linalg.eigh(X @ X.mT)
    W: Tensor = (D * eigenvalues.rsqrt()) @ D.mT @ X
    return W


def by_columns(V: Tensor, W: Tensor) -> Tensor:
    return W * (2 * centred(V).norm(dim=0) + 1e-8)


def shrunk(W: Tensor) -> Tensor:
    return W.sign() * (W.abs() - 1e-3 * W.abs().sum(1, keepdim=True)).clamp(min=0)


def triangular(V: Tensor) -> Tensor:
    Q, R = torch.linalg.qr(V.mT)
    return (Q * R.diagonal().sign()).mT


def newton(V: Tensor) -> Tensor:
    """Σ^{-1/2} by five Newton steps from Σ over its Frobenius norm, product by product."""
    X = centred(V)
    S = X @ X.mT
    size = S.norm()
    S, B = S / size, torch.eye(len(V))
    for _ in range(5):
        B = 1.5 * B - 0.5 * B @ B @ B @ S
    return B @ X / size.sqrt()


def quintic(V: Tensor) -> Tensor:
    """Five steps of Muon's quintic, product by product."""
    W = V / (V.norm() + 1e-7)
    for _ in range(5):
        S = W @ W.mT
        W = 3.4445 * W + (-4.7750 * S + 2.0315 * S @ S) @ W
    return W


PLAIN: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "weight_normalization": lambda V: V / V.norm(dim=1, keepdim=True),
    "centred_weight_normalization": lambda V: centred(V) / centred(V).norm(dim=1, keepdim=True),
    "orthogonal_weight_normalization": frame,
    "dswn_neuron_measurement": lambda V: by_columns(V, frame(V)),
    "dswn_sparsity_measurement": lambda V: shrunk(frame(V)),
    "dswn_combined": lambda V: shrunk(by_columns(V, frame(V))),
    "dswn_combined_in_the_other_order": lambda V: by_columns(V, shrunk(frame(V))),
    "weight_standardization": lambda V: centred(V) / (V.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt(),
    "spectral_normalization": lambda V: V / torch.linalg.matrix_norm(V, 2),
    "qr_orthogonalization": triangular,
    "newton_orthogonalization": newton,
    "newton_schulz": quintic,
}
"""The same formulas as one would write them without a thought for memory."""


def contender(name: str, ours: bool) -> Callable[[Tensor], Tensor]:
    if not ours:
        return PLAIN[name]
    module: Callable[[Tensor], Tensor] = Form(next(method for method in judged() if method.id == name)).build()
    return module


def peak() -> int:
    """Largest resident memory of this process so far, in bytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size


def run(name: str, ours: bool, shape: tuple[int, ...]) -> dict[str, float]:
    """In a process of its own: bytes kept between forward and backward, and peak of three steps above the start."""
    torch.set_num_threads(1)
    f = contender(name, ours)
    generator = torch.Generator().manual_seed(seed_of("memory", shape) % 2**62)
    V = (torch.randn(shape, generator=generator) / shape[1] ** 0.5).requires_grad_()
    A = torch.randn(shape, generator=generator)
    small = torch.randn(4, 9, generator=generator).requires_grad_()
    torch.autograd.grad(f(small), small, torch.ones(4, 9))  # loads what is loaded on first use
    kept: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        kept[saved.untyped_storage().data_ptr()] = saved.untyped_storage().nbytes()
        return saved

    before = peak()
    for _ in range(3):
        torch.autograd.grad(f(V), V, A)
    above = peak() - before
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        W = f(V)
    for there_anyway in (V, W):
        kept.pop(there_anyway.untyped_storage().data_ptr(), None)
    return {"kept": sum(kept.values()), "peak": above}


def measure(repetitions: int) -> dict[tuple[str, tuple[int, ...]], dict[str, list[dict[str, float]]]]:
    """Runs by parametrization and shape, of ``ours`` and ``plain`` in turns."""
    made: dict[tuple[str, tuple[int, ...]], dict[str, list[dict[str, float]]]] = {}
    for shape in SHAPES:
        for name in names():
            runs: dict[str, list[dict[str, float]]] = {"ours": [], "plain": []}
            for _ in range(repetitions):
                for which, into in runs.items():
                    command = [sys.executable, __file__, "--one", name, which, *map(str, shape)]
                    shown = subprocess.run(command, capture_output=True, text=True, check=True)
                    into.append(json.loads(shown.stdout.splitlines()[-1]))
            made[name, shape] = runs
    return made


def names() -> list[str]:
    """Our parametrizations that have a plain form here."""
    return [method.id for method in judged() if method.kind == "parametrization" and method.id in PLAIN]


def findings(
    measured: dict[tuple[str, tuple[int, ...]], dict[str, list[dict[str, float]]]],
) -> tuple[list[Finding], bool]:
    made, sound = [], True
    for (name, shape), runs in measured.items():
        kept, peaks = (_medians(runs, what) for what in ("kept", "peak"))
        good = kept["ours"] <= kept["plain"]
        sound &= good
        verdict = Verdict.PASS if good else Verdict.FAIL
        weight = 4 * shape[0] * shape[1]
        message = (
            f"keeps {kept['ours'] / weight:.3f} weights beside V and W, plain autograd {kept['plain'] / weight:.3f} "
            f"({kept['plain'] / max(kept['ours'], 1):.1f} times as much); peak {peaks['ours'] / 2**20:.1f} MiB against "
            f"{peaks['plain'] / 2**20:.1f} MiB"
        )
        figures: dict[str, Any] = {
            "kept_bytes": kept,
            "peak_bytes": peaks,
            "kept_ratio": kept["plain"] / max(kept["ours"], 1),
            "peak_ratio": peaks["plain"] / max(peaks["ours"], 1),
            "runs": len(runs["ours"]),
        }
        made.append(
            Finding(
                kind="benchmark",
                id=f"benchmark/memory/{name}/{slug('x'.join(map(str, shape)))}",
                subject="memory",
                check=name,
                verdict=verdict,
                statement="Does the parametrization keep no more for backward than its formula under plain autograd?",
                message=message,
                conditions=(f"{shape[0]} × {shape[1]}, float32", "one thread", "one machine, one run"),
                routes=(Evidence(route="arithmetic", verdict=verdict, note=message, figures=figures),),
                replay="python benchmarks/memory.py",
            )
        )
    return made, sound


def _medians(runs: dict[str, list[dict[str, float]]], what: str) -> dict[str, float]:
    return {which: statistics.median(one[what] for one in each) for which, each in runs.items()}


def show(made: list[Finding]) -> None:
    print(f"float32, one thread (torch {torch.__version__}); kept: beside V and W, in weights of 4 n d bytes\n")
    print(f"{'':36}{'':>10}{'kept':>8}{'plain':>8}{'ratio':>7}{'peak MiB':>10}{'plain':>8}{'ratio':>7}")
    for finding in made:
        n, d = (int(size) for size in finding.id.rsplit("/", 1)[1].split("x"))
        figures: Any = finding.routes[0].figures
        kept, peaks, weight = figures["kept_bytes"], figures["peak_bytes"], 4 * n * d
        print(
            f"{finding.check:36}{f'{n}x{d}':>10}{kept['ours'] / weight:8.3f}{kept['plain'] / weight:8.3f}"
            f"{figures['kept_ratio']:7.1f}{peaks['ours'] / 2**20:10.1f}{peaks['plain'] / 2**20:8.1f}"
            f"{figures['peak_ratio']:7.1f}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the results document")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="processes for each contender")
    parser.add_argument("--one", nargs=4, metavar=("NAME", "WHICH", "N", "D"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, which, n, d = arguments.one
        print(json.dumps(run(name, which == "ours", (int(n), int(d)))))
        return 0
    if arguments.repetitions < 1:
        parser.error(f"--repetitions must be at least 1; got {arguments.repetitions}")
    began = time.perf_counter()
    made, sound = findings(measure(arguments.repetitions))
    show(made)
    if arguments.json:
        seconds = time.perf_counter() - began
        part = {"benchmarks.memory": results.part("benchmarks.memory")}
        document = results.document(made, environment=results.environment(), timing={"seconds": seconds}, parts=part)
        results.write(arguments.json, document)
    print("\nas promised" if sound else "\nNOT as promised: see above", file=sys.stderr)
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
