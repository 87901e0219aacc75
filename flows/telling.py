"""Prefect shows what a run does and is not needed for it: where its API is away the work goes on, and asks seldom."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.events import Event
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from models.clock import SystemClock

QUIET_SECONDS = 20.0  # nothing that may be lost is offered for so long after an attempt that failed

_clock = SystemClock()
_log = logging.getLogger(__name__)


@contextmanager
def courtesy() -> Iterator[None]:
    """What is done in here is for people who look at Prefect; that its API is away is noted and ends only this."""
    try:
        yield
    except Exception as error:
        if not _is_away(error):
            raise
        _log.warning("Prefect does not answer (%s): the work goes on without it", type(error).__name__)


@contextmanager
def without_insisting() -> Iterator[None]:
    """Each request once: Prefect's own client would repeat it for half a minute, and the work waits meanwhile."""
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield


def _is_away(error: Exception) -> bool:
    """Prefect hides some of httpx's errors behind errors of its own."""
    return isinstance(error, httpx.HTTPError) or isinstance(error.__cause__, httpx.HTTPError)


class SeldomEvents(PrefectEventsClient):
    """Prefect's client tries eleven times for every single event: those of a long run kept its process for an hour."""

    _quiet_until = 0.0

    async def _emit(self, event: Event) -> None:
        if _clock.monotonic() >= self._quiet_until:
            self._quiet_until = _clock.monotonic() + QUIET_SECONDS  # unless it goes well
            await super()._emit(event)
            self._quiet_until = 0.0


EventsWorker.set_client_override(SeldomEvents)
