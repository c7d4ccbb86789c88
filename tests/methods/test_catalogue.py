"""The static table of methods."""

import doctest
import importlib
import importlib.util
import subprocess
import sys

import pytest

from wnverify.methods.catalogue import KINDS, find, implemented, methods

PLACES = sorted({method.module for method in implemented()})
MODULES = [
    f"{place}.{part}"
    for place in PLACES
    for part in ("reference", "pytorch", "enclosure")
    if importlib.util.find_spec(f"{place}.{part}")
]


def test_ids_are_unique_and_one_of_them_names_every_folder():
    """An id is used once, and the folder of an implementation bears the id of one of its methods."""
    ids = [method.id for method in methods()]
    assert len(set(ids)) == len(ids)
    assert {place.rpartition(".")[2] for place in PLACES} <= set(ids)


def test_every_row_says_what_it_is():
    """Id, title, source and a known kind in every row; a formula and where it is undefined wherever it is ours."""
    for method in methods():
        assert method.kind in KINDS
        assert method.id
        assert method.title
        assert method.source
        assert not method.module or (method.formula and method.undefined), method.id
        assert method.implementation or method.reason or method.kind == "layer", method.id


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.id)
def test_every_row_can_be_found_by_each_of_its_names(method):
    """Ids and names lead to the same row, however dashes are written."""
    for name in (method.id, *method.names, method.id.replace("_", "-")):
        assert find(name) is method


def test_the_catalogue_loads_without_torch_or_numpy():
    """Listing the methods costs no heavy import."""
    program = "import sys, wnverify.methods.catalogue; print(sorted({'torch', 'numpy', 'flint'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_no_reference_and_no_enclosure_knows_torch():
    """The NumPy forms and the balls run where torch is not loaded."""
    imported = ", ".join(module for module in MODULES if not module.endswith(".pytorch"))
    program = f"import sys, {imported}; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.mark.parametrize("module", [*MODULES, "wnverify.methods.catalogue"])
def test_doctests_run(module):
    """The examples in the docstrings give what they show."""
    assert doctest.testmod(importlib.import_module(module)).failed == 0
