"""A listing that is there already, that was taken in part, or that was reviewed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.errors import Conflict, Refused, Unanswered
from connectors.results import accepted
from connectors.standing import at_least, reviewed, sole
from models.change import Change, Kind
from models.listing import Remote, Status
from models.outcome import Outcome, Result
from models.value import replace

CHANGE = Change(key="A", kind=Kind.UPDATE, facets=("price", "content"), listing={}, token="t", remote_id="R-1")


def remote(number: int = 1, status: Status = "live") -> Remote:
    return Remote(key="A", remote_id=f"R-{number}", status=status, facets={}, words="too dark")


def raising(error: Exception) -> Callable[[], Result]:
    def rest() -> Result:
        raise error

    return rest


def test_one_that_is_there_is_gone_on_with_and_several_are_for_a_person() -> None:
    assert sole([], "several") is None
    assert sole([remote()], "several") == remote()
    with pytest.raises(Conflict, match="several: R-1, R-2"):
        sole([remote(1), remote(2)], "several")


def test_what_was_taken_counts_where_the_rest_is_refused() -> None:
    result = at_least(CHANGE, ["price"], raising(Refused("long")))

    assert (result.outcome, result.facets) == (Outcome.ACKNOWLEDGED, ("price",))
    assert result.problem is not None
    assert result.problem.code == "long"


@pytest.mark.parametrize(
    ("change", "taken", "error"),
    [
        (CHANGE, [], Refused("long")),
        (replace(CHANGE, kind=Kind.CREATE), ["price"], Refused("long")),
        (CHANGE, ["price"], Unanswered("lost")),
    ],
    ids=["nothing was taken", "not shown yet", "a doubt"],
)
def test_otherwise_an_error_is_that_of_the_whole(change: Change, taken: list[str], error: Exception) -> None:
    with pytest.raises(type(error)):
        at_least(change, taken, raising(error))


def test_where_nothing_is_refused_the_rest_says_what_became_of_it() -> None:
    assert at_least(CHANGE, ["price"], lambda: accepted(CHANGE)) == accepted(CHANGE)


@pytest.mark.parametrize(
    ("there", "outcome"),
    [
        (remote(status="live"), Outcome.ACKNOWLEDGED),
        (remote(status="pending"), Outcome.ACCEPTED),
        (remote(status="hidden"), Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
    ],
)
def test_a_review_is_over_where_the_listing_is_shown(there: Remote | None, outcome: Outcome) -> None:
    assert reviewed(accepted(CHANGE), there, Refused).outcome == outcome


def test_a_rejection_has_the_reviewers_words() -> None:
    result = reviewed(accepted(CHANGE), remote(status="rejected"), lambda words: Refused("qc", words))

    assert result.outcome == Outcome.REJECTED
    assert result.problem is not None
    assert "too dark" in result.problem.message.en


def test_a_marketplace_may_leave_what_it_checked_hidden() -> None:
    result = reviewed(accepted(CHANGE), remote(status="hidden"), Refused, hidden=Outcome.ACKNOWLEDGED)

    assert result.outcome == Outcome.ACKNOWLEDGED
