"""A Dask cluster as a ``concurrent.futures.Executor``, for ``wnverify.runner``.

It is distributed's own executor, and three things beside it: a lost cluster ends the run as Ctrl-C does, with its
journal whole, where a cancelled future would be taken for an error of its item; workers with other code are refused;
and what is interrupted ends on the workers too (``wnverify.cluster.worker``).  A worker that dies costs nothing: the
scheduler gives its items to others, until one has seen more workers die than ``distributed.scheduler.allowed-failures``
says (3); that one is an ``error``.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Final

from wnverify.finding import Json

PATIENCE_S: Final = 10.0
"""How long a scheduler may take to answer."""


class ClusterLost(KeyboardInterrupt):
    """The run ends from outside, as by Ctrl-C: the scheduler is gone, or a worker came that cannot be used."""


class DaskExecutor(Executor):
    """The executor of one run on the cluster of ``client``; ``width``: the threads of its workers when it began."""

    def __init__(self, client: Any, run: Any, width: int) -> None:
        self.width = width
        self.lost = ""
        self.client = client
        self.served = run
        self._inner = client.get_executor(pure=False)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        """``function(*arguments, **keywords)`` on a worker; ``ClusterLost`` where the scheduler is gone."""
        from wnverify.cluster.worker import at_worker

        if self.lost or self.client.status != "running":
            raise self._loss(f"it is {self.client.status}")
        outer: Future[Any] = Future()
        inner = self._inner.submit(at_worker, self.served, functools.partial(function, **keywords), *arguments)
        inner.add_done_callback(functools.partial(self._hand_on, outer))
        # A circle would keep the result on its worker until the next garbage collection.
        outer.add_done_callback(functools.partial(_hand_back, weakref.ref(inner)))
        return outer

    def _hand_on(self, outer: Future[Any], inner: Future[Any]) -> None:
        if not outer.set_running_or_notify_cancel():
            return
        if inner.cancelled():
            outer.set_exception(self._loss("the connection to its scheduler broke"))
        elif (error := inner.exception()) is None:
            outer.set_result(inner.result())
        elif _is_a_loss(error):
            outer.set_exception(self._loss(str(error)))
        else:
            outer.set_exception(error)

    def _loss(self, reason: str) -> ClusterLost:
        self.lost = self.lost or reason
        return ClusterLost(self.lost)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more; without ``wait`` what is in flight is cancelled, and its children end."""
        self._inner.shutdown(wait=wait and not cancel_futures)


@contextlib.contextmanager
def connected(address: str) -> Iterator[DaskExecutor]:
    """The executor of one run on the cluster of the scheduler at ``address`` (``tcp://host:port``, or its scheduler
    file, ``….json``).

    ``ValueError`` where there is no scheduler, or where a worker has another wnverify, Python or package.
    """
    with _client(address) as client:
        try:
            _await_a_worker(client, address)
            executor = DaskExecutor(client, _announced(client), sum(client.nthreads().values()))
        except OSError as error:
            raise ValueError(f"--dask: the scheduler at {address} went away again ({error})") from None
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)
            if executor.lost:
                print(f"wnverify: the Dask cluster at {address} was lost: {executor.lost}", file=sys.stderr)
            else:
                _leave(client, executor)


def about(executor: DaskExecutor) -> dict[str, Json]:
    """What a document says of the cluster in ``environment``: its threads, and the processors of its workers."""
    from wnverify.cluster import worker

    cpus = sorted({found["cpu"] for found in executor.client.run(worker.machine).values()})
    return {"threads": executor.width, "cpus": cpus}


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError:
        raise ValueError("--dask needs the package distributed: pip install 'wnverify[dask]'") from None
    named: dict[str, Any] = {"address": address}
    if address.endswith(".json"):
        if not Path(address).is_file():
            raise ValueError(f"--dask: there is no scheduler file {address!r}: is the scheduler started?")
        named = {"scheduler_file": address}
    try:
        client = distributed.Client(**named, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise ValueError(
            f"--dask must be the address of a Dask scheduler (tcp://host:8786) or its scheduler file; "
            f"none answers at {address!r} ({error})"
        ) from None
    try:
        yield client
    finally:
        # A client that has lost its scheduler fails in closing, in ways of its own; there is nothing left to close.
        with contextlib.nullcontext() if client.status == "running" else contextlib.suppress(Exception):
            client.close(timeout=2)


def _await_a_worker(client: Any, address: str) -> None:
    if not client.nthreads():
        print(f"no worker at {address} yet: waiting for one", file=sys.stderr, flush=True)
    while not client.nthreads():
        time.sleep(0.5)


def _announced(client: Any) -> Any:
    """The run as its workers know it, after a look at what they are."""
    try:
        from wnverify.cluster import worker

        found: Mapping[str, Any] = client.run(worker.machine)
    except ModuleNotFoundError as error:
        raise ValueError(f"--dask: the workers cannot import what this process can: {error}") from None
    here = worker.code()
    for address, there in sorted(found.items()):
        if differs := [
            f"{name} {there['code'].get(name)} (here {here[name]})"
            for name in here
            if there["code"].get(name) != here[name]
        ]:
            raise ValueError(f"--dask: the worker at {address} has {', '.join(differs)}: install the same on both")
    client.register_plugin(worker.EndUnwanted(), name="wnverify")
    return worker.Run(secrets.token_hex(8), worker.folders(), worker.digest())


def _leave(client: Any, executor: DaskExecutor) -> None:
    from wnverify.cluster import worker

    with contextlib.suppress(OSError, RuntimeError):  # a worker that is gone has no children
        client.run(worker.leave, executor.served.ticket, on_error="ignore")


def _hand_back(inner: weakref.ref[Future[Any]], outer: Future[Any]) -> None:
    """What the runner cancels is cancelled on the cluster."""
    if outer.cancelled() and (future := inner()) is not None:
        future.cancel()


def _is_a_loss(error: BaseException) -> bool:
    from distributed import CancelledError
    from distributed.comm import CommClosedError

    from wnverify.cluster.worker import ForeignCodeError

    return isinstance(error, CancelledError | CommClosedError | ForeignCodeError)
