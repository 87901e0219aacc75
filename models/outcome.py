"""What became of one change: exactly one Result each."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from models.listing import Problem
from models.value import Value


class Outcome(StrEnum):
    ACKNOWLEDGED = "acknowledged"  # the marketplace has it
    ACCEPTED = "accepted"  # under way there (job, review): `handle` is polled until it is acknowledged or rejected
    REJECTED = "rejected"  # refused for `problem`; rests until data, mapping or an operator changes something
    DEFERRED = "deferred"  # surely not applied; due again at `until`, or after back-off
    UNKNOWN = "unknown"  # sent without a usable answer: looked up before anything else


class Result(Value, frozen=True, kw_only=True):
    """`facets` narrows an acknowledgement to what was really taken (None = all of the change)."""

    key: str
    outcome: Outcome
    facets: tuple[str, ...] | None = None
    remote_id: str = ""
    revision: str = ""
    handle: str = ""
    until: datetime | None = None
    problem: Problem | None = None
