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


def test_every_public_class_is_in_the_catalogue() -> None:
    """No variant lies in the package without a row."""
    listed = {row.target for row in EVERY}
    package = Path(next(iter(importlib.import_module("wnverify.faults.parametrization").__path__)))
    for file in sorted(package.glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "RowMap":
                assert f"wnverify.faults.parametrization.{file.stem}:{node.name}" in listed, node.name


def test_the_catalogue_loads_without_torch() -> None:
    """Listing the faults costs no import of torch."""
    code = "import sys, wnverify.faults.catalogue as c; c.faults(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_variants_are_foreign_code() -> None:
    """A variant imports torch, the standard library and its neighbours; nothing else."""
    package = Path(next(iter(importlib.import_module("wnverify.faults.parametrization").__path__)))
    for file in package.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                allowed = module.startswith("wnverify.faults.parametrization.") or module.split(".")[0] == "torch"
                assert allowed or module.split(".")[0] in sys.stdlib_module_names, f"{file.name}: {module}"


@pytest.mark.parametrize("row", EVERY, ids=lambda row: row.name)
def test_a_variant_runs_on_a_small_weight(row: Fault | Right) -> None:
    """Every variant is built and gives a finite matrix of the weight's shape, and its docstring says what it is."""
    subject = subject_of(row)
    assert subject.kind.__doc__
    V = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    W = subject.map(V)(V)
    assert W.shape == V.shape
    assert bool(torch.isfinite(W).all())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("fault", [f for f in faults() if f.gradcheck is not None], ids=lambda fault: fault.name)
def test_gradcheck_column(fault: Fault) -> None:
    """What the catalogue says of ``torch.autograd.gradcheck`` is what it does on a random weight of 3 × 4."""
    V = torch.randn(3, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64, requires_grad=True)
    subject = subject_of(fault)
    assert torch.autograd.gradcheck(subject.map(V.detach()), (V,), raise_exception=False) is fault.gradcheck


def test_gradient_faults_have_the_gradcheck_column() -> None:
    """The column is filled for the faults of the gradient and for them alone."""
    for fault in faults():
        of_gradient = fault.caught_by.startswith("gradient.") or fault.caught_by == "edge.repeated_singular_values"
        assert (fault.gradcheck is not None) == of_gradient, fault.name
