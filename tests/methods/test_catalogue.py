"""The static table of methods."""

import doctest
import importlib
import subprocess
import sys

import pytest

from wnverify.methods.catalogue import methods

MODULES = [f"{method.module}.{part}" for method in methods() for part in ("reference", "pytorch", "enclosure")]


def test_ids_are_unique_and_name_their_folder():
    """An id is used once and is the name of the method's folder."""
    ids = [method.id for method in methods()]
    assert len(set(ids)) == len(ids)
    assert all(method.module.rpartition(".")[2] == method.id for method in methods())


def test_every_field_is_a_sentence_worth_reading():
    """All fields are non-empty strings."""
    assert all(isinstance(value, str) and value for method in methods() for value in method)


def test_the_catalogue_loads_without_torch_or_numpy():
    """Listing the methods costs no heavy import."""
    program = "import sys, wnverify.methods.catalogue; print(sorted({'torch', 'numpy', 'flint'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("module", [method.module for method in methods()])
def test_a_reference_and_an_enclosure_know_no_torch(module):
    """The NumPy form and the balls run where torch is not loaded."""
    program = f"import sys, {module}.reference, {module}.enclosure; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.mark.parametrize("module", [*MODULES, "wnverify.methods.catalogue"])
def test_doctests_run(module):
    """The examples in the docstrings give what they show."""
    assert doctest.testmod(importlib.import_module(module)).failed == 0
