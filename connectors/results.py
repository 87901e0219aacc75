"""What became of each change: taken one by one, in parts that share a call, or in batches asked about later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from connectors.errors import Conflict, ConnectorError, Later, NotSent, Refused, Unanswered, problem_of
from models.change import Change
from models.outcome import Outcome, Result
from models.value import replace


def result_of(change: Change | Result, outcome: Outcome, error: ConnectorError | None = None) -> Result:
    problem = problem_of(error) if error else None
    return Result(key=change.key, outcome=outcome, remote_id=change.remote_id, problem=problem)


def accepted(change: Change, handle: str = "") -> Result:
    """It was taken, and is asked about later: by what the marketplace gave for that, or by its id."""
    return replace(result_of(change, Outcome.ACCEPTED), handle=handle or change.remote_id)


def judged(change: Change | Result, error: ConnectorError, now: datetime) -> Result:
    """A conflict is looked up like a doubt: what is there then decides."""
    if isinstance(error, Later):
        return replace(result_of(change, Outcome.DEFERRED, error), until=error.until(now))
    if isinstance(error, Refused):
        return result_of(change, Outcome.REJECTED, error)
    doubtful = isinstance(error, Unanswered | Conflict)
    return result_of(change, Outcome.UNKNOWN if doubtful else Outcome.DEFERRED, error)


@contextmanager
def before_writing() -> Iterator[None]:
    """A question without an answer leaves no doubt about changes of which nothing has left yet."""
    try:
        yield
    except (Unanswered, Conflict) as error:
        raise NotSent(error.code, error.words) from None


def one_by_one(
    changes: Sequence[Change], do: Callable[[Change], Result], judge: Callable[[Change, ConnectorError], Result]
) -> list[Result]:
    """Once something was written an error speaks of its own change alone: were it raised, what is known of the others
    would be lost. One that is true of the whole account ends it, and the rest waits."""
    results: list[Result] = []
    for number, change in enumerate(changes):
        try:
            results.append(do(change))
        except (Refused, Conflict, Unanswered) as error:
            results.append(judge(change, error))
            if isinstance(error, Later) and error.whole_account:
                return results + [judge(rest, error) for rest in changes[number + 1 :]]
        except ConnectorError as error:
            if not results:
                raise
            return results + [result_of(rest, Outcome.DEFERRED, error) for rest in changes[number:]]
    return results


def part_by_part(
    parts: Sequence[Sequence[Change]],
    do: Callable[[Sequence[Change]], list[Result]],
    judge: Callable[[Change, ConnectorError], Result],
) -> list[Result]:
    """The same of changes that share a call; a call without an answer ends it, too."""
    results: list[Result] = []
    for number, part in enumerate(parts):
        try:
            results += do(part)
        except (Refused, Conflict) as error:
            results += [judge(change, error) for change in part]
        except ConnectorError as error:
            if not results:
                raise
            results += [judge(change, error) for change in part]
            return results + [result_of(c, Outcome.DEFERRED, error) for rest in parts[number + 1 :] for c in rest]
    return results


def batch_by_batch(
    pending: Sequence[Result], ask: Callable[[str, Sequence[Result]], list[Result]], prefix: str = ""
) -> list[Result]:
    """Changes that were sent together share a handle, which is asked about once; `prefix` is what we put before it."""
    by_handle: dict[str, list[Result]] = {}
    for result in pending:
        by_handle.setdefault(result.handle.removeprefix(prefix), []).append(result)
    return [result for handle, results in by_handle.items() for result in ask(handle, results)]
