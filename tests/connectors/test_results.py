"""One result per change, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from connectors.errors import (
    AuthorisationFailed,
    Conflict,
    ConnectorError,
    Later,
    NotSent,
    Refused,
    Throttled,
    Unanswered,
)
from connectors.results import batch_by_batch, before_writing, judged, one_by_one, result_of
from models.change import Change, Kind
from models.outcome import Outcome, Result

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ACKNOWLEDGED, REJECTED, DEFERRED, UNKNOWN = (
    Outcome.ACKNOWLEDGED,
    Outcome.REJECTED,
    Outcome.DEFERRED,
    Outcome.UNKNOWN,
)
CHANGES = [Change(key=key, kind=Kind.UPDATE, facets=(), listing={}, token=key, remote_id=f"R-{key}") for key in "ABC"]


class QuotaSpent(Later):
    whole_account = True


def pushed(**errors: ConnectorError) -> tuple[list[Outcome], int]:
    calls: list[str] = []

    def do(change: Change) -> Result:
        calls.append(change.key)
        if change.key in errors:
            raise errors[change.key]
        return result_of(change, ACKNOWLEDGED)

    results = one_by_one(CHANGES, do, lambda change, error: judged(change, error, NOW))
    assert [(r.key, r.remote_id) for r in results] == [(c.key, c.remote_id) for c in CHANGES]
    return [r.outcome for r in results], len(calls)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("x"), REJECTED),
        (Later("x"), DEFERRED),
        (Conflict("x"), UNKNOWN),
        (Unanswered("x"), UNKNOWN),
    ],
)
def test_an_error_of_one_change_leaves_the_others_alone(error: ConnectorError, outcome: Outcome) -> None:
    assert pushed(A=error) == ([outcome, ACKNOWLEDGED, ACKNOWLEDGED], 3)


def test_what_is_true_of_the_whole_account_ends_it_and_is_raised_where_nothing_was_written() -> None:
    assert pushed(B=Throttled("x")) == ([ACKNOWLEDGED, DEFERRED, DEFERRED], 2)
    with pytest.raises(AuthorisationFailed):
        pushed(A=AuthorisationFailed("x"))


def test_a_wait_of_the_whole_account_holds_for_the_rest_without_asking() -> None:
    assert pushed(A=QuotaSpent("x", seconds=60)) == ([DEFERRED] * 3, 1)


def test_a_wait_says_until_when() -> None:
    assert judged(CHANGES[0], Later("x", seconds=60), NOW).until == NOW + timedelta(minutes=1)
    assert judged(CHANGES[0], Later("x"), NOW).until is None


def test_a_handle_is_asked_about_once() -> None:
    asked: list[tuple[str, list[str]]] = []

    def ask(handle: str, results: Sequence[Result]) -> list[Result]:
        asked.append((handle, [result.key for result in results]))
        return list(results)

    handles = {"A": "1", "B": "2", "C": "hide:1"}
    pending = [Result(key=key, outcome=Outcome.ACCEPTED, handle=handle) for key, handle in handles.items()]

    assert {r.key for r in batch_by_batch(pending, ask, prefix="hide:")} == set("ABC")
    assert asked == [("1", ["A", "C"]), ("2", ["B"])]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unanswered("x", "y"), NotSent),
        (Conflict("x", "y"), NotSent),
        (AuthorisationFailed("x", "y"), AuthorisationFailed),
    ],
)
def test_before_anything_is_written_there_is_no_doubt(error: ConnectorError, kind: type[ConnectorError]) -> None:
    with pytest.raises(kind) as raised, before_writing():
        raise error

    assert (raised.value.code, raised.value.words) == ("x", "y")
