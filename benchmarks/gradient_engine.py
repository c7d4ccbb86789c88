"""The gradient engine against ``torch.autograd.gradcheck``: time, memory, and what each of them catches.

Orthogonal weight normalization of a 32 × 128 weight in float64, written with a plain eigendecomposition.  Every
contender runs in a process of its own that stays alive, one at a time and in turns, with one thread.  The exit status
is 1 unless the engine is at least 50 times faster than gradcheck's default mode (medians) and catches every planted
fault that gradcheck catches in either mode.

    python benchmarks/gradient_engine.py [--json FILE] [--repetitions N]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import dataclasses
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

import torch
from torch import Tensor

from wnverify.finding import Evidence, Finding, Verdict, seed_of, slug
from wnverify.oracles.gradients import JacobianReport, check_backward
from wnverify.oracles.ratio import ErrorModel, map_model
from wnverify.report import results

SHAPE: Final = (32, 128)
FASTER: Final = 50.0
QUICK_ROUNDS: Final = 7
"""Turns of the two quick contenders for each turn of gradcheck's default mode."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one contender: seconds, whether it accused the backward, what it says of the size of the error."""

    seconds: float
    accused: bool
    power: float | None = None
    relative_error: float | None = None


def weight() -> Tensor:
    generator = torch.Generator().manual_seed(seed_of("gradient engine", SHAPE) % 2**62)
    return torch.randn(SHAPE, generator=generator, dtype=torch.float64)


def orthogonalize(V: Tensor) -> Tensor:
    """W = Σ^{-1/2} V_C through ``eigh``, differentiated by autograd."""
    X = V - V.mean(1, keepdim=True)
    eigenvalues, D = torch.linalg.eigh(X @ X.mT)
    W: Tensor = (D / eigenvalues.sqrt()) @ D.mT @ X
    return W


Parts = dict[str, Tensor]
Rule = Callable[[Tensor, Parts], Tensor]


def right(A: Tensor, p: Parts) -> Tensor:
    """G = (Z W + S⁻¹ (A − B W)) centred, B = A Wᵀ, S Z + Z S = B − Bᵀ."""
    return centred(turning(A, p) + stretching(A, p))


def turning(A: Tensor, p: Parts) -> Tensor:
    B, D, s = A @ p["W"].mT, p["D"], p["s"]
    G: Tensor = D @ ((D.mT @ (B - B.mT) @ D) / (s[:, None] + s)) @ D.mT @ p["W"]
    return G


def stretching(A: Tensor, p: Parts) -> Tensor:
    A = centred(A)
    G: Tensor = (p["D"] / p["s"]) @ p["D"].mT @ (A - A @ p["W"].mT @ p["W"])
    return G


def centred(A: Tensor) -> Tensor:
    return A - A.mean(1, keepdim=True)


def one_entry(factor: float) -> Rule:
    def rule(A: Tensor, p: Parts) -> Tensor:
        G = right(A, p)
        G[17, 93] *= factor
        return G

    return rule


FAULTS: Final[dict[str, Rule]] = {
    "turning part left out": lambda A, p: centred(stretching(A, p)),
    "turning part halved": lambda A, p: centred(turning(A, p) / 2 + stretching(A, p)),
    "gradient not centred": lambda A, p: turning(A, p) + stretching(A, p) + A.mean(1, keepdim=True),
    "no gradient for a cotangent that is mostly zero": lambda A, p: right(A, p) * ((A != 0).double().mean() > 0.5),
    "cotangent clipped to [-1, 1]": lambda A, p: right(A.clamp(-1, 1), p),
    "one entry one per cent too large": one_entry(1.01),
    "one entry a millionth too large": one_entry(1 + 1e-6),
    "all a ten-thousandth too large": lambda A, p: right(A, p) * (1 + 1e-4),
    "rounded to float32": lambda A, p: right(A, p).float().double(),
}


def with_backward(rule: Rule) -> Callable[[Tensor], Tensor]:
    """``orthogonalize`` with this backward."""

    class Hand(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, V: Tensor) -> Tensor:
            X = V - V.mean(1, keepdim=True)
            eigenvalues, D = torch.linalg.eigh(X @ X.mT)
            s = eigenvalues.sqrt()
            W: Tensor = (D / s) @ D.mT @ X
            ctx.save_for_backward(W, D, s)
            return W

        @staticmethod
        def backward(ctx: Any, A: Tensor) -> Tensor:
            return rule(A, dict(zip(("W", "D", "s"), ctx.saved_tensors, strict=True)))

    return Hand.apply


def subject(fault: str | None) -> Callable[[Tensor], Tensor]:
    if fault is None:
        return orthogonalize
    return with_backward(right if fault == "none" else FAULTS[fault])


def model(V: Tensor) -> ErrorModel:
    """The condition number of the backward is (2/√3) ‖V‖ / σ_n; the longest sum has 128 terms."""
    sigma = torch.linalg.svdvals(V - V.mean(1, keepdim=True))
    return map_model("float64", SHAPE[1], condition=2 / 3**0.5 * float(V.norm() / sigma[-1]))


def engine(fault: str | None) -> Run:
    V, f = weight(), subject(fault)
    began = time.perf_counter()
    report: JacobianReport = check_backward(f, (V,), seed=seed_of("gradient engine", "probes"), model=model(V))
    return Run(time.perf_counter() - began, report.ratio > 1, report.power, report.relative_error)


def gradcheck(fault: str | None, *, fast: bool) -> Run:
    V, f = weight().requires_grad_(), subject(fault)
    began = time.perf_counter()
    passed = torch.autograd.gradcheck(f, (V,), fast_mode=fast, raise_exception=False)
    return Run(time.perf_counter() - began, not passed)


CONTENDERS: Final = ("engine", "gradcheck fast", "gradcheck")


def start() -> None:
    """In each contender's process: one thread, and everything loaded and run once that is loaded on first use."""
    torch.set_num_threads(1)
    V = weight().requires_grad_()
    torch.autograd.grad(orthogonalize(V).sum(), V)


def run(contender: str, fault: str | None) -> Run:
    return engine(fault) if contender == "engine" else gradcheck(fault, fast=contender == "gradcheck fast")


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def measure(repetitions: int) -> tuple[dict[str, list[Run]], dict[str, float], dict[str, dict[str, Run]]]:
    """Runs on the right map in turns, memory above that of one gradient, and runs on each fault, by contender."""
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    memory: dict[str, float] = {}
    kills: dict[str, dict[str, Run]] = {}
    context = multiprocessing.get_context("spawn")
    workers = {name: ProcessPoolExecutor(1, mp_context=context, initializer=start) for name in CONTENDERS}
    try:
        before = {name: worker.submit(peak_mib).result() for name, worker in workers.items()}
        for name in CONTENDERS[:2]:
            workers[name].submit(run, name, None).result()  # loads what the first run loads; not counted
        for _ in range(repetitions):
            for name, worker in workers.items():
                for _ in range(1 if name == "gradcheck" else QUICK_ROUNDS):
                    runs[name].append(worker.submit(run, name, None).result())
        for name, worker in workers.items():
            memory[name] = worker.submit(peak_mib).result() - before[name]
        # The right backward written by hand is in the list, so that nothing is caught for being written by hand.
        for fault in ("none", *FAULTS):
            kills[fault] = {name: worker.submit(run, name, fault).result() for name, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.shutdown()
    return runs, memory, kills


def findings(
    runs: dict[str, list[Run]], memory: dict[str, float], kills: dict[str, dict[str, Run]]
) -> tuple[list[Finding], bool]:
    """Speed and memory as one finding, one for every fault; whether the script's two conditions hold."""
    median = {name: statistics.median(r.seconds for r in made) for name, made in runs.items()}
    spread = {name: [min(r.seconds for r in made), max(r.seconds for r in made)] for name, made in runs.items()}
    accused = sorted(name for name, made in runs.items() if any(r.accused for r in made))
    faster = median["gradcheck"] / median["engine"]
    sound = faster >= FASTER and not accused
    power = runs["engine"][0].power
    made = [
        _finding(
            "speed",
            sound,
            f"Is the engine at least {FASTER:g} times faster than gradcheck at {SHAPE[0]} × {SHAPE[1]}?",
            f"{faster:.0f} times faster than the default mode, {median['gradcheck fast'] / median['engine']:.1f} times "
            f"the speed of the fast mode" + (f"; the right map is accused by {', '.join(accused)}" if accused else ""),
            power=power,
            figures={
                "median_seconds": median,
                "spread_seconds": spread,
                "peak_mib": memory,
                "runs": {name: len(each) for name, each in runs.items()},
                "faster": faster,
            },
        )
    ]
    for fault, seen in kills.items():
        caught = {name: one.accused for name, one in seen.items()}
        by_gradcheck = caught["gradcheck"] or caught["gradcheck fast"]
        good = not any(caught.values()) if fault == "none" else caught["engine"] or not by_gradcheck
        sound &= good
        names = ", ".join(name for name, yes in caught.items() if yes) or "nobody"
        made.append(
            _finding(
                f"kill/{slug(fault)}",
                good,
                "Is no right backward accused?"
                if fault == "none"
                else "Does the engine catch the fault, if gradcheck does?",
                f"{fault}: caught by {names}",
                power=power,
                figures={"caught": caught, "relative_error_seen_by_the_engine": seen["engine"].relative_error},
            )
        )
    return made, sound


def _finding(case: str, good: bool, statement: str, message: str, *, power: float | None, figures: Any) -> Finding:
    verdict = Verdict.PASS if good else Verdict.FAIL
    return Finding(
        kind="benchmark",
        id=f"benchmark/gradient-engine/{case}",
        subject="gradient-engine",
        check=case.split("/")[0],
        verdict=verdict,
        statement=statement,
        message=message,
        conditions=("orthogonal weight normalization, 32 × 128, float64", "one thread", "one machine, one run"),
        routes=(Evidence(route="differences", verdict=verdict, note=message, power=power, figures=figures),),
        replay="python benchmarks/gradient_engine.py",
    )


def show(runs: dict[str, list[Run]], memory: dict[str, float], kills: dict[str, dict[str, Run]]) -> None:
    print(
        f"orthogonal weight normalization, {SHAPE[0]} x {SHAPE[1]}, float64, one thread (torch {torch.__version__})\n"
    )
    print(f"{'':16}{'median s':>10}{'least':>10}{'most':>10}{'runs':>6}{'ratio':>9}{'peak MiB':>10}")
    base = statistics.median(r.seconds for r in runs["engine"])
    for name, made in runs.items():
        times = [r.seconds for r in made]
        middle = statistics.median(times)
        print(
            f"{name:16}{middle:10.4f}{min(times):10.4f}{max(times):10.4f}{len(times):6d}{middle / base:9.1f}"
            f"{memory[name]:10.0f}"
        )
    print(f"\n{'fault in the backward':50}" + "".join(f"{name:>16}" for name in CONTENDERS) + f"{'error seen':>12}")
    for fault, seen in kills.items():
        marks = "".join(f"{'caught' if seen[name].accused else '-':>16}" for name in CONTENDERS)
        print(f"{fault:50}{marks}{seen['engine'].relative_error or 0:12.1e}")
    print(f"\npower of the engine here: a relative error of the Jacobian of {runs['engine'][0].power:.1e}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the results document")
    parser.add_argument("--repetitions", type=int, default=2, metavar="N", help="runs of gradcheck's default mode")
    arguments = parser.parse_args()
    if arguments.repetitions < 1:
        parser.error(f"--repetitions must be at least 1; got {arguments.repetitions}")
    began = time.perf_counter()
    measured = measure(arguments.repetitions)
    made, sound = findings(*measured)
    show(*measured)
    if arguments.json:
        seconds = time.perf_counter() - began
        part = {"benchmarks.gradient_engine": results.part("benchmarks.gradient_engine")}
        document = results.document(made, environment=results.environment(), timing={"seconds": seconds}, parts=part)
        results.write(arguments.json, document)
    print("\nas promised" if sound else "\nNOT as promised: see above", file=sys.stderr)
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
