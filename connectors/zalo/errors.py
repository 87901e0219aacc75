"""What is an error in Zalo's answers; errors.toml says what each code means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.errors import ConnectorError, Later, Misconfigured, OtherShape
from connectors.meanings import Meanings
from models.text import VIETNAM

OK = "0"


class NotBefore(Later):
    """Refused until an hour of the Vietnamese day, whatever is sent."""

    hour, whole_account = 0, True

    def until(self, now: datetime) -> datetime:
        at = now.astimezone(VIETNAM).replace(hour=self.hour, minute=0, second=0, microsecond=0)
        return (at if at > now else at + timedelta(days=1)).astimezone(UTC)


class Night(NotBefore):
    hour = 6


MEANINGS = Meanings.beside(__file__, {"NotBefore": NotBefore, "Night": Night})


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """429 and 5xx never come here. Only `error` 0 is a success; an answer without it says nothing."""
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return MEANINGS["token"].error(f"HTTP {response.status_code}")
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        return Misconfigured(f"HTTP {response.status_code}", field="base_url")
    code = code_of(data)
    if response.status_code != httpx.codes.OK or not code:
        return OtherShape("no-envelope", f"HTTP {response.status_code}")
    return None if code == OK else _error(code, str(data.get("message") or ""))


def code_of(data: Any) -> str:
    """The number in `error`; empty where there is none."""
    code = data.get("error") if isinstance(data, dict) else None
    return str(code) if type(code) is int else ""


def _error(code: str, words: str) -> ConnectorError:
    """A code that the file lacks is a refusal in Zalo's own words, and noted."""
    named = MEANINGS.of(code, words) is MEANINGS["parameter"]
    return MEANINGS.error(code, words, field=MEANINGS.field_in(words) if named else "")


def is_token_refused(data: Any) -> bool:
    return MEANINGS.of(code_of(data)) is MEANINGS["token"]


def refresh_refused(response: httpx.Response, data: Any) -> ConnectorError | None:
    """An error of the token host: another shape, known by what it lacks. Its description may hold what was sent."""
    if response.is_server_error or not isinstance(data, dict) or data.get("access_token"):
        return None
    if not data.keys() & {"error", "error_name"}:
        return None
    code = str(data.get("error") or "oauth")
    meaning = MEANINGS.of(f"oauth {code}") or MEANINGS["refresh"]
    return meaning.error(code, str(data.get("error_name") or ""))
