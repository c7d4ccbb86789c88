"""The global state of a process, taken down so that a later look tells what was changed.

A child that runs many work items compares itself after each of them with what it was after warm-up: an item that
left something behind (a default dtype, a patched function, a thread, a signal handler) must not alter the finding
of the next.  Settings are compared by value, attributes of watched modules and classes by identity.  A name that
appeared is no change (lazily loaded submodules), one that was replaced or removed is.
"""

from __future__ import annotations

import builtins
import decimal
import gc
import locale
import os
import resource
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Final

WATCHED_MODULES: Final = (
    "builtins",
    "math",
    "random",
    "numpy",
    "numpy.linalg",
    "numpy.random",
    "scipy.linalg",
    "torch",
    "torch.autograd",
    "torch.fft",
    "torch.func",
    "torch.linalg",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.utils",
    "torch.nn.utils.parametrizations",
    "torch.nn.utils.parametrize",
    "torch.optim",
    "torch.special",
)
WATCHED_CLASSES: Final = (
    ("torch", "Tensor"),
    ("torch.nn", "Module"),
    ("torch.nn", "Parameter"),
    ("torch.nn", "Linear"),
    ("torch.nn", "Conv2d"),
    ("torch.autograd", "Function"),
    ("torch.optim", "Optimizer"),
)
HEAVY: Final = ("numpy", "torch")
"""Modules with a global random state: one that an item was the first to import leaves nothing to compare with."""

State = Mapping[str, Any]
Attributes = Mapping[str, Mapping[str, Any]]


class Fingerprint:
    """The state at the moment of construction; strong references keep every identity from being used again."""

    def __init__(self) -> None:
        self.settings: State = dict(_settings())
        self.attributes: Attributes = dict(_attributes())

    def altered(self, later: Fingerprint) -> tuple[str, ...]:
        """Sorted names of what ``later`` shows otherwise, at most 20 of them; empty when nothing was changed."""
        names = [name for name, value in self.settings.items() if later.settings.get(name) != value]
        for owner, before in self.attributes.items():
            after = later.attributes.get(owner, {})
            names += [f"{owner}.{name}" for name, value in before.items() if after.get(name, _Missing) is not value]
        return tuple(sorted(names)[:20])


class _Missing:
    """Stands for an attribute that is gone."""


def _settings() -> Iterator[tuple[str, Any]]:
    yield from _process_settings()
    yield from _library_settings()
    for name in HEAVY:
        yield f"{name} imported", name in sys.modules
    if "torch" in sys.modules:
        yield from _torch_settings(sys.modules["torch"])


def _process_settings() -> Iterator[tuple[str, Any]]:
    smallest = sys.float_info.min
    yield "subnormal numbers", smallest / 2 > 0
    yield "environment", dict(os.environ)
    yield "working directory", _working_directory()
    yield "warnings.filters", (list(warnings.filters), warnings.showwarning)
    yield "threads", threading.active_count()
    yield "processes", _has_children()
    yield "signal handlers", [signal.getsignal(number) for number in sorted(signal.valid_signals())]
    yield "blocked signals", signal.pthread_sigmask(signal.SIG_BLOCK, ())
    timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    yield "timers", [signal.getitimer(timer) for timer in timers]
    limits = sorted(name for name in vars(resource) if name.startswith("RLIMIT_"))
    yield "resource limits", [resource.getrlimit(getattr(resource, name)) for name in limits]
    yield "niceness", os.nice(0)
    yield "standard streams", [id(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)]
    yield "hooks", (sys.excepthook, sys.displayhook, sys.gettrace(), sys.getprofile(), list(sys.meta_path))
    yield "interpreter limits", (sys.getrecursionlimit(), sys.getswitchinterval(), gc.isenabled(), gc.get_threshold())
    yield "locale", locale.setlocale(locale.LC_ALL)


def _library_settings() -> Iterator[tuple[str, Any]]:
    context = decimal.getcontext()
    yield "decimal context", (context.prec, context.rounding, context.Emin, context.Emax, dict(context.traps))
    if "numpy" in sys.modules:
        numpy = sys.modules["numpy"]
        yield "numpy error state", (numpy.geterr(), numpy.geterrcall(), numpy.getbufsize())
        yield "numpy print options", repr(sorted(numpy.get_printoptions().items(), key=lambda pair: str(pair[0])))
    if "mpmath" in sys.modules:
        yield "mpmath precision", sys.modules["mpmath"].mp.prec
    if "flint" in sys.modules:
        yield "flint precision", sys.modules["flint"].ctx.prec


def _torch_settings(torch: Any) -> Iterator[tuple[str, Any]]:
    yield "torch default dtype", torch.get_default_dtype()
    yield "torch default device", torch.get_default_device()
    yield "torch number of threads", (torch.get_num_threads(), torch.get_num_interop_threads())
    yield "torch grad mode", (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    deterministic = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    yield "torch deterministic algorithms", (*deterministic, torch.utils.deterministic.fill_uninitialized_memory)
    devices = ("cpu", "cuda")
    autocast = [(torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)) for device in devices]
    yield "torch autocast", (autocast, torch.is_autocast_cache_enabled())
    yield "torch anomaly mode", (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
    yield "torch matmul precision", torch.get_float32_matmul_precision()
    cudnn, mkldnn = torch.backends.cudnn, torch.backends.mkldnn
    yield "torch backends", (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, mkldnn.enabled)
    yield "torch print options", repr(torch._tensor_str.PRINT_OPTS)
    for module in ("torch.nn.modules.module", "torch.optim.optimizer"):
        names = {key: value for key, value in vars(sys.modules[module]).items() if key.startswith("_global_")}
        yield f"global hooks of {module}", {key: list(value) for key, value in names.items() if hasattr(value, "keys")}


def _attributes() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in WATCHED_MODULES:
        module = builtins if name == "builtins" else sys.modules.get(name)
        if isinstance(module, ModuleType):
            yield name, {key: value for key, value in vars(module).items() if _is_public(key)}
    for name, attribute in WATCHED_CLASSES:
        owner = getattr(sys.modules.get(name), attribute, None)
        if isinstance(owner, type):
            # A patch of an inherited method lands in the subclass: look through the whole line of ancestors.
            yield f"{name}.{attribute}", {k: v for base in reversed(owner.__mro__) for k, v in vars(base).items()}


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name.startswith("__")


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _has_children() -> bool:
    """Whether a process started here is still running or waiting to be reaped."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True
