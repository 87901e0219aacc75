"""What is an error in the marketplace's answers; errors.toml says what each code means."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from connectors.errors import AuthorisationFailed, Conflict, ConnectorError, OtherShape, Refused, Unanswered
from connectors.meanings import Meanings
from connectors.typed import typed

MEANINGS = Meanings.beside(__file__)
STORED = (200, 201, 202)
# For a 4xx whose code errors.toml lacks.
STATUSES: dict[int, type[ConnectorError]] = {401: AuthorisationFailed, 403: AuthorisationFailed, 409: Conflict}


class _Fault(msgspec.Struct, frozen=True):
    field: str
    code: str
    message_vi: str


class _Body(msgspec.Struct, frozen=True):
    errors: list[_Fault]


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """None for the documented successes; any other status below 400 is no answer that can be trusted."""
    status = response.status_code
    if status in STORED:
        return None if isinstance(data, dict) else OtherShape("not-an-object")
    if status < httpx.codes.BAD_REQUEST:
        return Unanswered(f"HTTP {status}")
    otherwise = STATUSES.get(status, Refused)
    faults = _faults(data)
    if not faults:
        return otherwise(f"HTTP {status}")
    words = " ".join(fault.message_vi for fault in faults)
    return MEANINGS.error(faults[0].code, words, field=MEANINGS.field(faults[0].field), otherwise=otherwise)


def _faults(data: Any) -> list[_Fault]:
    """Empty where the body is not the documented one."""
    try:
        return typed(data, _Body).errors
    except msgspec.ValidationError:
        return []


def refusal(code: str, field: str, words: str) -> ConnectorError:
    """A moderator refuses this one product: by a code of the table, or in words alone."""
    return MEANINGS.error(code, words, field=MEANINGS.field(field))
