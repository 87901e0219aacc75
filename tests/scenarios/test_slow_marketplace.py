"""A marketplace that answers one question a second: the run lasts long, and keeps its account all the time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from connectors.contract import Policy, Rate
from tests.scenarios.world import World, part, shrimp

SLOW_TO_ASK = Rate(permits=1, seconds=1.0, operations=frozenset({"moderation"}))


def test_a_long_poll_keeps_the_lease(tmp_path: Path) -> None:
    world = World(tmp_path, ["madeincamau"])
    world.policies["madeincamau"] = Policy(sandbox=True)
    world.put(*(shrimp(n, world.picture()) for n in range(120)))
    account = world.accounts()[0]
    connector = replace(account.connector, limits=replace(account.connector.limits, rates=(SLOW_TO_ASK,)))

    report = world.night(accounts=lambda: [replace(account, connector=connector)], patience=600.0)

    assert part(report, "madeincamau").counts["created"] == 120, report.as_json()
    assert len(world.shown("madeincamau")) == 120
