"""Makes ``report_documents`` importable, and one realistic document for all tests of views."""

import copy
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import report_documents

_REALISTIC = report_documents.realistic()


@pytest.fixture
def doc():
    """A document with every kind and every verdict; a fresh copy for each test."""
    return copy.deepcopy(_REALISTIC)
