"""How a listing stands that is there already, is written by several calls, or is reviewed before it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.errors import Conflict, ConnectorError, Refused, problem_of
from connectors.results import result_of
from models.change import Change, Kind
from models.listing import Remote
from models.outcome import Outcome, Result
from models.value import replace


def sole(found: Sequence[Remote], code: str) -> Remote | None:
    """The one that bears our SKU, whoever made it; which of several is to be gone on with a person must say."""
    if len(found) > 1:
        raise Conflict(code, ", ".join(remote.remote_id for remote in found))
    return found[0] if found else None


def at_least(change: Change, taken: Sequence[str], rest: Callable[[], Result]) -> Result:
    """What was taken before counts even where the rest is refused; of what is not shown yet, nothing does."""
    try:
        return rest()
    except Refused as error:
        if not taken or change.kind is not Kind.UPDATE:
            raise
        return replace(result_of(change, Outcome.ACKNOWLEDGED, error), facets=tuple(taken))


def reviewed(
    result: Result,
    remote: Remote | None,
    refusal: Callable[[str], ConnectorError],
    hidden: Outcome = Outcome.UNKNOWN,
) -> Result:
    """What a review made of it. One that is hidden is looked up, as a poll knows no intent, or is as it should be."""
    if remote is None:
        return replace(result, outcome=Outcome.UNKNOWN)
    if remote.status == "rejected":
        return replace(result, outcome=Outcome.REJECTED, problem=problem_of(refusal(remote.words)))
    if remote.status == "pending":
        return result
    outcome = hidden if remote.status == "hidden" else Outcome.ACKNOWLEDGED
    return replace(result, outcome=outcome, remote_id=remote.remote_id)
