"""`make sweep`: a real process is ended, and the disk failed, at every fault point; the next run puts all in order.

python -m tests.sweep                    every point: killed in some scenarios, the disk full, failing, a defect
python -m tests.sweep --all              killed in every scenario that passes the point
python -m tests.sweep send.commit …      these points only
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.sweep.nursery import Nursery
from tests.sweep.points import points
from tests.sweep.scenarios import SCENARIOS, Scenario
from tests.sweep.sweep import Trial, Workshop, trial, visits

AT_ONCE = 6  # much of a trial is waiting
KILLS = 3  # scenarios in which a point is killed
OTHERS = ("enospc", "eio", "raise")  # each in one scenario
MEMORY = Path("/dev/shm")  # where flushing costs nothing; what is swept here are processes, not disks

Job = tuple[Scenario, str, str]


def main(arguments: Sequence[str]) -> int:
    asked = _parser().parse_args(arguments)
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="caybeo-sweep-", dir=MEMORY if MEMORY.is_dir() else None))
    with Nursery() as nursery, ThreadPoolExecutor(AT_ONCE) as pool:
        workshop = Workshop(nursery, place)
        passed = passing(workshop, pool)
        wanted = asked.points or points()
        jobs = [job for number, point in enumerate(wanted) for job in jobs_of(point, passed[point], number, asked.all)]
        trials = list(_watched(pool.map(lambda job: trial(workshop, *job), jobs), len(jobs)))
    left = report(wanted, trials, time.monotonic() - began)
    if not left:
        shutil.rmtree(place)
    return 1 if left else 0


def passing(workshop: Workshop, pool: ThreadPoolExecutor) -> dict[str, list[Scenario]]:
    """Which scenarios pass which point, as each of them shows when nothing disturbs it."""
    found: dict[str, list[Scenario]] = defaultdict(list)
    for scenario, seen in zip(SCENARIOS, pool.map(lambda one: visits(workshop, one), SCENARIOS), strict=True):
        for point in seen:
            found[point].append(scenario)
    return found


def jobs_of(point: str, scenarios: list[Scenario], number: int, every: bool) -> list[Job]:
    """What is done to one point; neighbours are disturbed in different scenarios."""
    if not scenarios:
        return []
    turned = [scenarios[(number + place) % len(scenarios)] for place in range(len(scenarios))]
    killed = turned if every else turned[:: max(1, len(turned) // KILLS)][:KILLS]
    return [(one, point, "kill") for one in killed] + [(turned[0], point, action) for action in OTHERS]


def report(wanted: Iterable[str], trials: list[Trial], seconds: float) -> int:
    """Prints every point; gives how many were not visited or did not recover."""
    by_point: dict[str, list[Trial]] = defaultdict(list)
    for one in trials:
        by_point[one.point].append(one)
    bad = 0
    for point in wanted:
        bad += _tell(point, by_point[point])
    done = Counter(one.action for one in trials)
    counted = ", ".join(f"{many} {action}" for action, many in done.items())
    print(f"{len(by_point)} points, {len(trials)} processes disturbed ({counted}), {bad} wrong, {seconds:.0f} s")
    return bad


def _tell(point: str, trials: list[Trial]) -> bool:
    wrong = [one for one in trials if one.wrong]
    told = "never visited" if not trials else "visited, NOT recovered" if wrong else "visited, recovered"
    print(f"{point:26} {told:22} {' '.join(sorted({one.action for one in trials}))}")
    for one in wrong:
        print(f"    {one.action} in “{one.scenario}”: {one.wrong}")
    return bool(wrong) or not trials


def _watched(trials: Iterable[Trial], many: int) -> Iterable[Trial]:
    """Says how far it is, on a terminal or in a log."""
    latest = time.monotonic()
    for number, one in enumerate(trials, 1):
        if time.monotonic() - latest > 5:
            latest = time.monotonic()
            print(f"… {number} of {many}", file=sys.stderr, flush=True)
        yield one


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("points", nargs="*", help="points; none are all")
    parser.add_argument("--all", action="store_true", help="in every scenario that passes the point")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
