"""Shape annotations of the methods are checked at run time in these tests (jaxtyping, beartype)."""

import importlib.util

import pytest
import torch
from jaxtyping import install_import_hook

CHECKED = importlib.util.find_spec("beartype") is not None
if CHECKED:
    install_import_hook(("wnverify.methods", "wnverify.primitives"), "beartype.beartype")

GPU = [pytest.param("cuda", marks=pytest.mark.gpu)] if torch.cuda.is_available() else []


def pytest_report_header():
    """A machine with a GPU and packages of its own may lack the checker."""
    return None if CHECKED else "beartype is not installed: shape annotations are not checked in this run"


@pytest.fixture(params=["cpu", *GPU])
def device(request):
    """The processor, and where the machine has one the GPU (``make gpu`` runs those cases alone)."""
    return request.param
