"""A marketplace that takes one request a second: the run lasts long, and keeps its account all the time."""

from __future__ import annotations

from pathlib import Path

from connectors.contract import Policy
from tests.scenarios.world import World, part, shrimp


def test_a_long_poll_keeps_the_lease(tmp_path: Path) -> None:
    world = World(tmp_path, ["madeincamau"])
    world.policies["madeincamau"] = Policy(sandbox=True, requests_per_minute=60)
    world.put(*(shrimp(n, world.picture()) for n in range(120)))

    report = world.night()

    assert part(report, "madeincamau").counts["created"] == 120, report.as_json()
    assert len(world.shown("madeincamau")) == 120
