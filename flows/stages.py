"""What all our flows share: an open home, steps shown as tasks, and errors told as sentences without data."""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.states import Failed

from connectors.errors import ConnectorError, problem_of
from flows.accounts import AccountRefused
from flows.artifacts import Gauge
from flows.settings import Settings
from flows.steps.account import LOST, LOST_NEXT
from flows.steps.approve import PlanRefused
from flows.steps.context import Context
from flows.steps.night import UnknownAccount, UnknownSku
from flows.steps.pull import SourceRefused
from flows.steps.push import Stopped
from flows.stopping import Stopping
from flows.troubles import trouble
from flows.wiring import context_of, open_home
from models.lease import LeaseLost
from models.text import Lang, Text

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


class InputRefused(Exception):
    """What the operator's form holds cannot be used."""

    def __init__(self, message: Text, next_step: Text) -> None:
        super().__init__(message.en)
        self.message, self.next_step = message, next_step


@contextmanager
def opened() -> Iterator[Context]:
    """The home of this process; progress is shown as an artifact.

    A worker that cancels the run sends SIGTERM: the ledger is put in order first, then Prefect is told.
    """
    settings, stop = Settings(), Stopping()
    database = open_home(settings)
    try:
        with stop.listening():
            yield context_of(settings, database, Gauge(), stop)
    finally:
        database.dispose()
        stop.pass_on()


def lang() -> Lang:
    return Settings().lang


def stage(name: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs one step as a task of that name.

    Never repeated and never stored: the ledger knows what was sent. What the step gives or raises stays in this
    process; Prefect learns only how it ended, because a traceback may hold what nobody should read.
    """
    given: list[T] = []
    raised: list[Exception] = []

    def body() -> State[Any] | None:
        try:
            given.append(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # raised again below, outside the task
            raised.append(error)
            return Failed(message=said(error).to(lang()))
        return None

    Task(body, name=name, retries=0, persist_result=False, cache_policy=NO_CACHE)(return_state=True)
    if raised:
        raise raised[0]
    return given[0]


def start(deployment: str, parameters: dict[str, Any], *, key: str | None = None, parent: bool = False) -> UUID:
    """Starts a run of a deployment and does not wait for it; the same key starts nothing a second time."""
    run = run_deployment(deployment, parameters=parameters, timeout=0, as_subflow=parent, idempotency_key=key)
    return cast("FlowRun", run).id  # a coroutine only where a loop runs, which none of ours does


def readable(body: Callable[P, State[Any]]) -> Callable[P, State[Any]]:
    """A flow that ends with a sentence whatever happens."""

    @wraps(body)
    def told(*args: P.args, **kwargs: P.kwargs) -> State[Any]:
        try:
            return body(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the last handler: Prefect would publish the traceback
            note(error)
            return Failed(message=said(error).to(lang()))

    # Prefect would look for the names of the parameters' types in this module.
    told.__signature__ = inspect.signature(body, eval_str=True)  # type: ignore[attr-defined]  # functions may have one
    return told


def said(error: Exception) -> Text:
    """What an operator reads about an error, and what to do."""
    if isinstance(error, InputRefused | AccountRefused | PlanRefused | SourceRefused):
        return both(error.message, error.next_step)
    if isinstance(error, Stopped):
        return said(error.error)
    if isinstance(error, LeaseLost):
        return both(LOST, LOST_NEXT)
    if isinstance(error, ConnectorError):
        problem = problem_of(error)
        return both(problem.message, problem.next_step)
    if isinstance(error, UnknownAccount | UnknownSku):
        return UNKNOWN[type(error)].fill(name=error)
    if told := trouble(error):
        return both(*told)
    return UNEXPECTED.fill(kind=type(error).__name__)


def note(error: Exception) -> None:
    """Writes down where it happened: files and lines, never values."""
    frames = traceback.extract_tb(error.__traceback__)
    way = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    _log.error("%s at %s", type(error).__name__, way)


def both(first: Text, second: Text) -> Text:
    return Text(f"{first.vi} {second.vi}", f"{first.en} {second.en}")


UNKNOWN: dict[type[Exception], Text] = {
    UnknownAccount: Text(
        "Không có tài khoản “{name}”. Chọn một tài khoản trong danh sách.",
        "There is no account “{name}”. Choose one from the list.",
    ),
    UnknownSku: Text(
        "Không có mặt hàng nào mang mã “{name}”. Kiểm tra lại mã SKU.",
        "No item has the SKU “{name}”. Check the SKU.",
    ),
}
UNEXPECTED = Text(
    "Lỗi ngoài dự kiến ({kind}). Chạy lại; nếu vẫn lỗi, gửi tệp logs/worker.log trong thư mục dữ liệu cho người phụ "
    "trách kỹ thuật.",
    "Unexpected error ({kind}). Run again; if it stays, send logs/worker.log from the home to whoever looks after it.",
)
