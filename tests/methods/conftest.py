"""Shape annotations of the methods are checked at run time in these tests (jaxtyping, beartype)."""

import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook(("wnverify.methods", "wnverify.primitives"), "beartype.beartype")

GPU = [pytest.param("cuda", marks=pytest.mark.gpu)] if torch.cuda.is_available() else []


@pytest.fixture(params=["cpu", *GPU])
def device(request):
    """The processor, and where the machine has one the GPU (``make gpu`` runs those cases alone)."""
    return request.param
