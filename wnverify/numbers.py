"""``wnverify numerics``: the numerics lab on one machine, and on the device of it that is asked for."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fnmatch
from collections.abc import Sequence
from typing import Any, Final

from wnverify.finding import Json
from wnverify.methods.catalogue import find
from wnverify.numerics.topics import TOPICS, Topic, judged
from wnverify.planning import numerics_item
from wnverify.running import conclude, document_of, journal_of, limits_of, watched
from wnverify.workitem import WorkItem

WARM: Final = ("torch", "wnverify.auditing.warm")


def numerics(arguments: argparse.Namespace) -> int:
    """Run the chosen topics for the chosen methods, hand out the document, and give the exit code.

    ``ValueError`` for a method that is no map of a weight, a pattern without a topic, or what is no device.
    """
    device: dict[str, Json] = {"asked": arguments.device}
    command = "numerics" if arguments.device == "cpu" else "device"
    if arguments.device != "cpu":
        device |= about(arguments.device)
    methods = named(arguments.methods)
    chosen = items(
        methods,
        arguments.only,
        device=arguments.device,
        seed=arguments.seed,
        quick=arguments.quick,
        **limits_of(arguments),
    )
    asked: dict[str, Json] = {"quick": arguments.quick, "seed": arguments.seed, "device": arguments.device}
    asked |= {"methods": list(methods), "only": list(arguments.only)}
    with journal_of(command, {**asked, "items": [item.id for item in chosen]}, arguments) as journal:
        result = watched(chosen, arguments, journal, WARM)
    where = {**arguments.where, "device": device}
    return conclude(result, journal, arguments, lambda: document_of(result, command, asked, where=where))


def named(names: Sequence[str]) -> list[str]:
    """The ids of the methods of these names, each once."""
    known = [method.id for method in judged()]
    found: dict[str, None] = {}
    for name in names:
        meant = name
        with contextlib.suppress(ValueError):  # no method of the catalogue: refused with all others that are not judged
            meant = find(name).id
        if meant not in known:
            raise ValueError(f"METHOD must be one of {', '.join(known)}; got {name!r}")
        found[meant] = None
    return list(found)


def items(
    methods: Sequence[str], only: Sequence[str], *, device: str, seed: int, quick: bool, **limits: Any
) -> list[WorkItem]:
    """One work item for each chosen topic and method; none named: all.  On another device than the processor, what
    runs there: topics that take ``device``."""
    known = {method.id: method for method in judged()}
    taken = [topic for topic in TOPICS if device == "cpu" or topic.device]
    for pattern in only:
        if not fnmatch.filter([topic.name for topic in taken], pattern):
            names = ", ".join(topic.name for topic in taken)
            raise ValueError(f"--only must match one of {names} on {device}; got {pattern!r}")
    made = []
    for topic in taken:
        if only and not any(fnmatch.fnmatch(topic.name, pattern) for pattern in only):
            continue
        for subject in [known[name] for name in methods or known] if topic.each else [None]:
            item = numerics_item(topic, subject, seed=seed, quick=quick, **limits)
            made.append(_on(item, topic, device))
    return made


def _on(item: WorkItem, topic: Topic, device: str) -> WorkItem:
    return dataclasses.replace(item, arguments={**item.arguments, "device": device}) if topic.device else item


def about(device: str) -> dict[str, Json]:
    """What is known of the device: whether this machine has it, its name, memory and software."""
    import torch

    from wnverify.numerics.places import absent

    missing = absent(device)
    found: dict[str, Json] = {"torch": torch.__version__, "found": not missing}
    if missing:
        return found
    if torch.device(device).type == "cuda":
        properties = torch.cuda.get_device_properties(torch.device(device))
        found |= {
            "name": properties.name,
            "memory_mib": properties.total_memory // 2**20,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": str(torch.version.cuda),
            "cudnn": int(torch.backends.cudnn.version() or 0),  # type: ignore[no-untyped-call]
        }
    return found
