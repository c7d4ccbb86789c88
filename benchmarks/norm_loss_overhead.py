"""What a step of training costs with the norm loss beside weight decay: seconds, and the ratio with its spread.

Both in turns in one process with one thread, from the same weights on the same batch, with a table of the median ratio,
its 95 % interval and quartiles.  Times are in the document's block of times alone, and no verdict rests on them: the
exit status is 1 where the two, with factors of zero, do not train bit for bit alike.

    python benchmarks/norm_loss_overhead.py [--network NAME ...] [--batch N] [--rounds N] [--steps N] [--device D]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import time
from collections.abc import Sequence
from typing import Final

import torch

from wnverify.experiments.overhead import DECAY, NORM_LOSS, Overhead, alike, measure
from wnverify.experiments.published.norm_loss_tables import HOURS
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.report import results

NETWORKS: Final = ("cnn_digits", "resnet_8", "wrn_10_1")
STATEMENT: Final = (
    "With factors of zero weight decay and the norm loss train bit for bit alike: what is timed differs in"
)


def finding(network: str, batch: int, same: bool) -> Finding:
    """Whether the two contenders differ in the regularizer alone."""
    verdict = Verdict.PASS if same else Verdict.FAIL
    return Finding(
        kind="benchmark",
        id=id_of(network),
        subject="norm-loss-overhead",
        check=network,
        verdict=verdict,
        statement=f"{STATEMENT} the regularizer alone.",
        message="" if same else "the weights differ after three steps",
        conditions=(f"{network}, batch {batch}", "times are in the block of times, and decide nothing"),
        routes=(Evidence(route="exact", verdict=verdict),),
        replay=f"python benchmarks/norm_loss_overhead.py --network {network}",
        place="Norm loss, sec. V-C",
    )


def id_of(network: str) -> str:
    return f"benchmark/norm-loss-overhead/{network}"


def show(measured: Sequence[Overhead]) -> None:
    """A row for each network; the printed ratio below."""
    head = ("network", "batch", "wd ms", "nl ms", "ratio", "95 % interval", "quartiles", "rounds")
    print("{:14}{:>6}{:>10}{:>10}{:>8}{:>16}{:>16}{:>8}".format(*head))
    for each in measured:
        told = each.figures()
        wd, nl = (1e3 * told["seconds a step"][name] for name in (DECAY, NORM_LOSS))
        ratio = told["ratio"]
        spread = [f"{a:.3f}–{b:.3f}" for a, b in ((ratio["low"], ratio["high"]), ratio["quartiles"])]
        print(
            f"{each.network:14}{each.batch:6d}{wd:10.2f}{nl:10.2f}{ratio['median']:8.3f}{spread[0]:>16}{spread[1]:>16}"
            f"{told['rounds']:8d}"
        )
    printed = float(HOURS["nl"]) / float(HOURS["wd"])
    print(f"\nprinted for ResNet-110 on CIFAR-10: {HOURS['nl']} h / {HOURS['wd']} h = {printed:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the results document")
    parser.add_argument("--network", nargs="+", default=list(NETWORKS), metavar="NAME", help="as in networks.table")
    parser.add_argument("--batch", type=int, default=128, metavar="N", help="samples of a step")
    parser.add_argument("--rounds", type=int, default=41, metavar="N", help="ratios that are taken")
    parser.add_argument("--steps", type=int, default=3, metavar="N", help="steps of each in a round")
    parser.add_argument("--device", default="cpu", metavar="D", help="where it runs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, measured, made = time.perf_counter(), [], []
    try:
        for network in arguments.network:
            measured.append(
                measure(
                    network,
                    batch=arguments.batch,
                    rounds=arguments.rounds,
                    steps=arguments.steps,
                    device=arguments.device,
                )
            )
            made.append(finding(network, arguments.batch, alike(network, batch=arguments.batch)))
    except ValueError as error:
        parser.error(f"--{error}")
    show(measured)
    if arguments.json:
        timing = {id_of(each.network): each.figures() for each in measured}
        part = {"benchmarks.norm_loss_overhead": results.part("benchmarks.norm_loss_overhead")}
        whole = {**timing, "seconds": time.perf_counter() - began}
        results.write(
            arguments.json, results.document(made, environment=results.environment(), timing=whole, parts=part)
        )
    return 0 if all(each.verdict is Verdict.PASS for each in made) else 1


if __name__ == "__main__":
    raise SystemExit(main())
