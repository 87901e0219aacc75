"""What is an error in the marketplace's answers; errors.toml says what each code means."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from connectors.errors import ConnectorError, Unanswered
from connectors.meanings import Meanings
from connectors.typed import typed

MEANINGS = Meanings.beside(__file__)


class _Fault(msgspec.Struct, frozen=True):
    code: str
    message: str = ""
    field: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: _Fault


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """429 and 5xx never come here. A code that the file lacks is a refusal in the marketplace's own words."""
    if response.is_success:
        return None
    try:
        fault = typed(data, _Body).error
    except msgspec.ValidationError:
        return Unanswered(f"HTTP {response.status_code}")
    return MEANINGS.error(fault.code, fault.message, field=MEANINGS.field(fault.field))
