"""What is an error in the marketplace's answers; errors.toml says what each business code means."""

from __future__ import annotations

from typing import Any

import httpx

from connectors.errors import AuthorisationFailed, ConnectorError, Misconfigured, OtherShape, Unanswered
from connectors.meanings import Meanings

OK, TOKEN_INVALID, DUPLICATE_MEDIA = 200, 202, 207
STATE_FORBIDS = "205"
MEANINGS = Meanings.beside(__file__)


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """The error in an answer; HTTP says little here, and an unlisted code is a doubt, never a success."""
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return AuthorisationFailed(f"HTTP {response.status_code}")
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        return Misconfigured(f"HTTP {response.status_code}", field="base_url")
    if response.status_code != httpx.codes.OK or not is_envelope(data):
        return OtherShape("no-envelope", f"HTTP {response.status_code}")
    return None if succeeded(data) else error_of(data)


def is_envelope(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and type(data.get("status")) is int
        and isinstance(data.get("error"), bool)
        and isinstance(data.get("message"), str)
        and "data" in data
    )


def succeeded(envelope: dict[str, Any]) -> bool:
    """A picture that is already there is answered with an error and its id: all that an upload wants."""
    if envelope["status"] == DUPLICATE_MEDIA:
        return isinstance(envelope["data"], dict) and type(envelope["data"].get("media_id")) is int
    return envelope["status"] == OK and not envelope["error"]


def error_of(envelope: dict[str, Any]) -> ConnectorError:
    code, words, data = str(envelope["status"]), envelope["message"], envelope["data"]
    field = str(data.get("field") or "") if isinstance(data, dict) else ""
    if sharper := MEANINGS.of(f"{code}/{field}"):
        return sharper.error(code, words)
    return MEANINGS.error(code, words, field=MEANINGS.field(field), otherwise=Unanswered)
