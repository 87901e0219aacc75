"""The one place where settings, database, accounts and steps are put together."""

from __future__ import annotations

import logging
import random
from functools import partial

from sqlalchemy import Engine

from flows.accounts import accounts, ensure_sandboxes
from flows.settings import Settings
from flows.steps.context import Context, Progress, silent
from models.clock import Clock, SystemClock
from models.database import check, open_database, sqlite_file
from models.migrations import ensure

CHECKED_BYTES = 100 * 1024 * 1024  # a whole check of more than that is for `caybeo doctor`, not for every command


def open_home(settings: Settings, clock: Clock | None = None) -> Engine:
    """The database of this home: checked, at this version's schema, with a sandbox account for each marketplace."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    database = open_database(settings.url)
    file = sqlite_file(settings.url)
    if file is not None and file.exists() and file.stat().st_size < CHECKED_BYTES:
        check(database)
    ensure(database)
    ensure_sandboxes(settings, database, clock or SystemClock())
    return database


def context_of(settings: Settings, database: Engine, progress: Progress = silent) -> Context:
    """What the steps need, for this process."""
    return Context(
        database=database,
        home=settings.place,
        accounts=partial(accounts, settings, database),
        rng=random.SystemRandom(),
        progress=progress,
        lease_seconds=settings.lease_seconds,
    )
