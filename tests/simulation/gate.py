"""Runs seeds on two processes, the ones that once failed first; prints what was found and how to replay it."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.scenario import NEWER, Outcome, newer, run

REGRESSIONS = Path(__file__).with_name("regressions.txt")
SEEDS = 15_000
SHOWN = 20  # failing seeds told in full
LAST = 50  # events of a failure
CHUNK = 25  # seeds between two looks at the garbage


def main() -> int:
    asked = _arguments()
    if asked.digests:
        print("\n".join(digest(seed) for seed in range(asked.digests)))
        return 0
    if asked.seed is not None:
        return _replay(asked.seed, everything=asked.trace)
    seeds = [*known(), *islice(_drawn(asked.first, asked.of), asked.seeds)]
    begun = time.monotonic()
    tally, failed = _all(seeds, asked.processes)
    _remember(failed)
    _report(tally, failed, time.monotonic() - begun)
    return 1 if failed else 0


def _drawn(first: int, markets: list[str]) -> Iterator[int]:
    return (seed for seed in count(first) if not markets or (newer(seed) or ("",))[0] in markets)


def known() -> list[int]:
    """Seeds that once failed: kept for good, always first."""
    lines = REGRESSIONS.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line.strip() and not line.startswith("#")]


def outcomes(seeds: Iterable[int]) -> Iterator[Outcome]:
    """Without the collector's constant looks: what a scenario leaves behind is collected now and then."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for number, seed in enumerate(seeds, 1):
            yield run(seed)
            if number % CHUNK == 0:
                gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()


def failures(seeds: Iterable[int]) -> list[str]:
    """What broke, with how to look at it."""
    return [
        f"{outcome.violations[0]} (python -m tests.simulation --seed {outcome.seed} --trace)"
        for outcome in outcomes(seeds)
        if outcome.violations
    ]


def digest(seed: int) -> str:
    """Of everything that happened."""
    return run(seed).digest


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    newcomers = sorted(NEWER.values())  # the first three share the other seeds, by chance
    parser.add_argument("--of", action="append", default=[], choices=newcomers, help="only its seeds; repeatable")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: every event")
    parser.add_argument("--digests", type=int, default=0, help="only the digests of the first traces")
    return parser.parse_args()


def _replay(seed: int, *, everything: bool) -> int:
    outcome = run(seed)
    for line in outcome.trace if everything else outcome.trace[-LAST:]:
        print(line)
    print(f"seed {seed}, profile {outcome.profile}, trace {outcome.digest}")
    for violation in outcome.violations:
        print(violation)
    return 1 if outcome.violations else 0


def _some(seeds: list[int]) -> list[Outcome]:
    found = []
    for outcome in outcomes(seeds):
        if not outcome.violations:
            outcome.trace = []  # of no interest, and long
        found.append(outcome)
    return found


def _all(seeds: list[int], processes: int) -> tuple[Counter[str], list[Outcome]]:
    tally: Counter[str] = Counter()
    failed: list[Outcome] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    parts = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with (
        multiprocessing.get_context("spawn").Pool(processes) as pool,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        bar = progress.add_task("scenarios", total=len(seeds))
        for some in pool.imap_unordered(_some, parts):
            for outcome in some:
                _count(tally, outcome)
                if outcome.violations:
                    failed.append(outcome)
                    progress.console.print(f"seed {outcome.seed}: {outcome.violations[0]}")
            progress.advance(bar, len(some))
        pool.close()  # so that the processes end by themselves, and clear up after themselves
        pool.join()
    return tally, sorted(failed, key=lambda outcome: outcome.seed)


def _count(tally: Counter[str], outcome: Outcome) -> None:
    tally["scenarios"] += 1
    for name in ("crashes", "pauses", "faults", "requests"):
        tally[name] += getattr(outcome, name)


def _remember(failed: list[Outcome]) -> None:
    new = [outcome for outcome in failed if outcome.seed not in known()]
    with REGRESSIONS.open("a") as file:
        for outcome in new:
            file.write(f"{outcome.seed}  # {outcome.violations[0]}\n")


def _report(tally: Counter[str], failed: list[Outcome], seconds: float) -> None:
    for outcome in failed[:SHOWN]:
        print(f"\nseed {outcome.seed}, profile {outcome.profile}")
        print("\n".join(outcome.trace[-LAST:]))
        print(f"replay: python -m tests.simulation --seed {outcome.seed} --trace")
    print(
        f"{tally['scenarios']} scenarios, {tally['crashes']} crashes, {tally['pauses']} pauses,"
        f" {tally['faults']} faults injected, {tally['requests']} requests,"
        f" {len(failed)} violations, {seconds:.0f} seconds"
    )
    if failed:
        print("failed:", " ".join(str(outcome.seed) for outcome in failed))
