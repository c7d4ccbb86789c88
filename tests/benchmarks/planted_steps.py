"""Steps that take a known time, for contenders in processes of their own."""

import time
from functools import partial

from benchmarks.side_by_side import Contender

TICK = 0.004


def spin(seconds):
    """Keep a processor busy."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def spinning(seconds):
    return partial(spin, seconds)


def allocating(mebibytes):
    return lambda: bytearray(mebibytes << 20)


def held(mebibytes):
    """The making needs twice as much as the step, and lets go of it."""
    bytearray(mebibytes << 21)
    return allocating(mebibytes)


def raising():
    raise ValueError("no such map")


def dying():
    import os

    return lambda: os._exit(3)


def contender(name, seconds=TICK, **settings):
    return Contender(name, partial(spinning, seconds), **settings)


def told(_):
    return 41.0
