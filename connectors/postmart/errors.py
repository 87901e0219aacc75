"""What is an error in Postmart's answers, of a call and of one item alike; errors.toml says what each code means."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from connectors.errors import ConnectorError, OtherShape, Unanswered
from connectors.meanings import Meanings
from connectors.typed import typed

UNKNOWN_MEDIA, UNKNOWN_BATCH = "unknown_media", "unknown_batch"
MEANINGS = Meanings.beside(__file__)


class Fault(msgspec.Struct, frozen=True):
    """The documented error object; `field` is a path such as `content.name`."""

    code: str
    message_vi: str = ""
    field: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: Fault


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """429 and 5xx never come here; anything but 2xx without the documented body cannot be trusted."""
    if response.is_success:
        return None if isinstance(data, dict) else OtherShape("not-an-object")
    try:
        return error_of(typed(data, _Body).error)
    except msgspec.ValidationError:
        return Unanswered(f"HTTP {response.status_code}")


def error_of(fault: Fault) -> ConnectorError:
    """A code that the documents do not know is a refusal in the marketplace's own words, never a success."""
    return MEANINGS.error(fault.code, fault.message_vi, field=MEANINGS.field(fault.field))
