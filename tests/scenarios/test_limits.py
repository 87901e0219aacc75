"""A marketplace's limits: never passed where they are known, and believed where it names them."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest

from connectors.contract import Policy
from flows.steps.night import resync
from models.report import DONE
from tests.scenarios.world import World, part


def log(world: World, market: str) -> list[tuple[datetime, int]]:
    return [(datetime.fromisoformat(entry["at"]), entry["status"]) for entry in world.sandboxes[market].log()]


def test_the_agreed_rate_is_never_passed(lone: World, market: str, request: pytest.FixtureRequest) -> None:
    lone.sandboxes[market].marketplace.quota = (30, 60.0)
    lone.policies[market] = Policy(sandbox=True, requests_per_minute=30)
    lone.put(*lone.shrimps(20))

    report = resync(lone.context(lease_seconds=3600.0))

    assert report.exit_code == DONE, report.as_json()
    assert len(lone.shown(market)) == 20
    assert part(report, market).throttled == 0
    assert all(status != 429 for _, status in log(lone, market))


def test_M01_after_a_429_nobody_asks_before_the_named_time(lone: World, market: str) -> None:
    """The account believes it may send without end; the marketplace allows ten in ten seconds."""
    lone.sandboxes[market].marketplace.quota = (10, 10.0)
    lone.put(*lone.shrimps(20))

    report = lone.night()
    refused = [after - at for (at, status), (after, _) in pairwise(log(lone, market)) if status == 429]

    assert part(report, market).throttled == len(refused) > 0
    assert all(gap.total_seconds() >= 1 for gap in refused)  # one permit a second: Retry-After says so
    for _ in range(3):
        report = lone.night()
    assert report.exit_code == DONE, report.as_json()
    lone.assert_in_step()
