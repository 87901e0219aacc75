"""What the marketplace's codes mean."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from connectors.errors import AuthorisationFailed, Conflict, ConnectorError, Refused, Unanswered, unlisted
from connectors.typed import typed


class _Fault(msgspec.Struct, frozen=True):
    code: str
    message: str = ""
    field: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: _Fault


CODES: dict[str, type[ConnectorError]] = {
    "bad_token": AuthorisationFailed,
    "invalid": Refused,
    "not_found": Conflict,
    "unknown_picture": Refused,
}


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """429 and 5xx never come here. A code that the table lacks is a refusal in the marketplace's own words."""
    if response.is_success:
        return None
    try:
        fault = typed(data, _Body).error
    except msgspec.ValidationError:
        return Unanswered(f"HTTP {response.status_code}")
    kind = CODES.get(fault.code)
    error = (kind or Refused)(fault.code, fault.message, field=fault.field)
    return error if kind else unlisted(error)
