"""The catalogue of planted faults: complete, unambiguous, loadable without torch, and true about gradcheck."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fault_gradients import Subject

from wnverify.faults.catalogue import ROUNDING_DECIDES, Fault, Right, faults, right_variants

EVERY = (*faults(), *right_variants())
KINDS = ("parametrization", "projection", "penalty")
GENERAL = {"RowMap"}
"""Public classes that variants are made of."""


def of_kind(kind: str) -> list[Fault | Right]:
    return [row for row in EVERY if row.target.startswith(f"wnverify.faults.{kind}.")]


def subject_of(row: Fault | Right) -> Subject:
    module, name = row.target.split(":")
    return Subject(getattr(importlib.import_module(module), name))


def test_names_and_targets_are_unique() -> None:
    """A name, and a class, stands for one variant."""
    assert len({row.name for row in EVERY}) == len(EVERY)
    assert len({row.target for row in EVERY}) == len(EVERY)


def test_there_are_enough_of_both_kinds() -> None:
    """The body holds what was asked for: 56 wrong variants and 16 right ones at least."""
    assert len(faults()) >= 56
    assert len(right_variants()) >= 16


def test_verdicts_are_those_that_a_check_gives() -> None:
    """A fault is due a ``fail`` or a ``hazard`` (or either, where rounding decides), by a check with a dotted id."""
    for fault in faults():
        assert fault.verdict in ("fail", "hazard", ROUNDING_DECIDES), fault.name
        assert fault.caught_by.count(".") == 1, fault.name


@pytest.mark.parametrize("kind", KINDS)
def test_every_public_class_is_in_the_catalogue(kind: str) -> None:
    """No variant lies in the packages without a row."""
    listed = {row.target for row in EVERY}
    for file in package(kind):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            variants = ast.ClassDef | ast.FunctionDef if file.stem.startswith("right_function") else ast.ClassDef
            if isinstance(node, variants) and not node.name.startswith("_") and node.name not in GENERAL | {"prox"}:
                assert f"wnverify.faults.{kind}.{file.stem}:{node.name}" in listed, node.name


def package(kind: str) -> list[Path]:
    folder = Path(next(iter(importlib.import_module(f"wnverify.faults.{kind}").__path__)))
    return sorted(folder.glob("*.py"))


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_enough_of_every_kind(kind: str) -> None:
    """At least twenty wrong variants and eight right ones."""
    rows = of_kind(kind)
    assert sum(isinstance(row, Fault) for row in rows) >= 20
    assert sum(isinstance(row, Right) for row in rows) >= 8


def test_the_catalogue_loads_without_torch() -> None:
    """Listing the faults costs no import of torch."""
    code = "import sys, wnverify.faults.catalogue as c; c.faults(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_variants_are_foreign_code(kind: str) -> None:
    """A variant imports torch, the standard library and its neighbours; nothing else."""
    for file in package(kind):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            imported = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in imported:
                allowed = module.startswith(f"wnverify.faults.{kind}.") or module.split(".")[0] == "torch"
                assert allowed or module.split(".")[0] in sys.stdlib_module_names, f"{file.name}: {module}"


@pytest.mark.parametrize("row", EVERY, ids=lambda row: row.name)
def test_a_variant_runs_on_a_small_weight(row: Fault | Right) -> None:
    """Every variant is built and gives finite numbers, and its docstring says what it is."""
    module, name = row.target.split(":")
    kind = getattr(importlib.import_module(module), name)
    assert kind.__doc__
    n = 4 if row.name == "gain-along-columns" else 3  # it takes no other than square weights: that is its fault
    V = torch.randn(n, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if row in of_kind("parametrization"):
        W = subject_of(row).map(V)(V)
    else:
        W = (kind() if isinstance(kind, type) else kind)(V)
    broken = row.name in ("counted-from-zero", "clipped-to-sphere")  # divide by zero: that is what is wrong with them
    assert bool(torch.isfinite(W).all()) or broken
    assert W.shape == V.shape or row in of_kind("penalty")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("fault", [f for f in faults() if f.gradcheck is not None], ids=lambda fault: fault.name)
def test_gradcheck_column(fault: Fault) -> None:
    """What the catalogue says of ``torch.autograd.gradcheck`` is what it does on a random weight of 3 × 4."""
    V = torch.randn(3, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64, requires_grad=True)
    f = subject_of(fault).map(V.detach())
    if isinstance(f, torch.nn.Module):
        f.train()
    try:
        passes = torch.autograd.gradcheck(f, (V,), raise_exception=False)
    except RuntimeError:  # the backward itself raised, which nobody overlooks
        passes = False
    assert passes is fault.gradcheck


def test_gradient_faults_have_the_gradcheck_column() -> None:
    """The column is filled for the faults of a parametrization's gradient and for them alone."""
    for fault in (row for row in of_kind("parametrization") if isinstance(row, Fault)):
        of_gradient = fault.caught_by.startswith("gradient.") or fault.caught_by == "edge.repeated_singular_values"
        assert (fault.gradcheck is not None) == of_gradient, fault.name
