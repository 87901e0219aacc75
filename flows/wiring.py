"""The one place where settings, database, accounts and steps are put together."""

from __future__ import annotations

import logging
import random
import traceback
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from flows.accounts import accounts, ensure_sandboxes
from flows.settings import Settings
from flows.steps.context import Context, Progress, silent
from flows.stopping import StoppableClock, Stopping
from models.clock import Clock, SystemClock
from models.database import check, finish_replacing, open_database, sqlite_file
from models.migrations import ensure

CHECKED_BYTES = 100 * 1024 * 1024  # a whole check of more than that is for `caybeo doctor`, not for every command


def open_home(settings: Settings, clock: Clock | None = None) -> Engine:
    """The database of this home: checked, at this version's schema, with a sandbox account for each marketplace."""
    _log_to_stderr(settings.log_level)
    file = sqlite_file(settings.url)
    if file is not None:
        finish_replacing(file)
    database = open_database(settings.url)
    if file is not None and file.exists() and file.stat().st_size < CHECKED_BYTES:
        check(database)
    ensure(database)
    ensure_sandboxes(settings, database, clock or SystemClock())
    return database


class _Where(logging.Formatter):
    """Files and lines of a failure, never values, and never the pages of a traceback: whoever runs this reads it."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's own name
        frames = traceback.extract_tb(ei[2])
        return f"  {ei[0].__name__}: " + " > ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames)


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler()
    kind = logging.Formatter if level == "DEBUG" else _Where
    handler.setFormatter(kind("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def context_of(
    settings: Settings, database: Engine, progress: Progress = silent, stop: Stopping | None = None
) -> Context:
    """What the steps need, for this process; `stop` is where it learns that it was asked to end."""
    stop = stop or Stopping()
    return Context(
        database=database,
        home=settings.place,
        accounts=partial(accounts, settings, database),
        clock=StoppableClock(stop),
        rng=random.SystemRandom(),
        progress=progress,
        lease_seconds=settings.lease_seconds,
        run_seconds=settings.run_seconds,
        stopping=stop.asked,
        cut_off=stop.cut_off,
    )
