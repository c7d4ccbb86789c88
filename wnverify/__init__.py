"""wnverify tells whether a weight-normalization method is what it says it is.

Public names are resolved when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from wnverify.version import VERSION

if TYPE_CHECKING:
    import wnverify.strategies as strategies
    from wnverify.auditing.pytest_plugin import parametrize_checks as parametrize_checks
    from wnverify.auditing.suite import audit as audit
    from wnverify.finding import Evidence as Evidence
    from wnverify.finding import Finding as Finding
    from wnverify.finding import Verdict as Verdict
    from wnverify.methods.application.apply import apply as apply
    from wnverify.methods.application.apply import penalty as penalty
    from wnverify.methods.application.apply import remove as remove
    from wnverify.methods.application.grouping import parameter_groups as parameter_groups

__version__ = VERSION

_HOME: Final = {
    "audit": "wnverify.auditing.suite",
    "parametrize_checks": "wnverify.auditing.pytest_plugin",
    "Finding": "wnverify.finding",
    "Evidence": "wnverify.finding",
    "Verdict": "wnverify.finding",
    "apply": "wnverify.methods.application.apply",
    "remove": "wnverify.methods.application.apply",
    "penalty": "wnverify.methods.application.apply",
    "parameter_groups": "wnverify.methods.application.grouping",
}
__all__ = [
    "Evidence",
    "Finding",
    "Verdict",
    "apply",
    "audit",
    "parameter_groups",
    "parametrize_checks",
    "penalty",
    "remove",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return importlib.import_module("wnverify.strategies")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'wnverify' has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
