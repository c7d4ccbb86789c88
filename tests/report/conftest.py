"""One realistic document for all tests of views."""

import copy

import pytest
import report_documents

_REALISTIC = report_documents.realistic()


@pytest.fixture
def doc():
    """A document with every kind and every verdict; a fresh copy for each test."""
    return copy.deepcopy(_REALISTIC)
