"""What is an error in Meta's answers, of a whole call and of one item; errors.toml says what each code means."""

from __future__ import annotations

import re
from typing import Any

import httpx
import msgspec

from connectors.errors import Conflict, ConnectorError, OtherShape, Refused, Throttled, Unanswered
from connectors.meanings import Meanings
from connectors.typed import typed

MEANINGS = Meanings.beside(__file__)
USAGE = "X-Business-Use-Case-Usage"
TOO_MUCH = "too-much"
REDUCE = "reduce the amount of data"
TOKENS = re.compile(r"EAA\w+|[A-Za-z0-9_|-]{40,}")
NO_SUCH_ITEM = re.compile(r"cannot create a product item|could not find product item", re.IGNORECASE)
WORDS = 400  # characters of Meta's own that are kept before the trace id


class GraphError(msgspec.Struct, frozen=True):
    """The documented error object; `type` is nearly always OAuthException and says nothing."""

    code: int
    message: str = ""
    error_subcode: int = 0
    is_transient: bool = False
    fbtrace_id: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: GraphError


class _Usage(msgspec.Struct, frozen=True):
    estimated_time_to_regain_access: float = 0.0  # minutes


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    """429 and 5xx never come here. An error may come with HTTP 200, a throttle comes with 400."""
    if not isinstance(data, dict):
        return OtherShape("not-an-object") if response.is_success else Unanswered(f"HTTP {response.status_code}")
    if "error" in data:
        try:
            return error_of(typed(data, _Body).error, response.headers)
        except msgspec.ValidationError:
            return OtherShape("unexpected-error")
    if data.get("success") is False:
        return Unanswered("not-successful")
    return None if response.is_success else Unanswered(f"HTTP {response.status_code}")


def error_of(fault: GraphError, headers: httpx.Headers) -> ConnectorError:
    """A code that the table lacks is a refusal in Meta's own words, unless it calls itself transient."""
    code, words = _code(fault), _words(fault)
    error = MEANINGS.error(code, words, otherwise=Unanswered if fault.is_transient else Refused)
    if isinstance(error, Throttled):
        error.retry_after = seconds_to_wait(headers)
    elif fault.is_transient and not error.unlisted:
        return Unanswered(code, words)
    return error


def item_error(words: str) -> ConnectorError:
    """Of one item. That it could not be made says that what we believed to be there is not."""
    if NO_SUCH_ITEM.search(words):
        return Conflict("no-such-item", words)
    return MEANINGS.error("item", words or "?", field=MEANINGS.field_in(words))


def seconds_to_wait(headers: httpx.Headers) -> float | None:
    """The longest of all entries: an object by business, each with a list. There is no Retry-After."""
    try:
        said = msgspec.json.decode(headers.get(USAGE, ""), type=dict[str, list[_Usage]])
    except (msgspec.MsgspecError, RecursionError):
        return None
    minutes = max((entry.estimated_time_to_regain_access for some in said.values() for entry in some), default=0.0)
    return minutes * 60 or None


def _code(fault: GraphError) -> str:
    if fault.code in (1, 2) and REDUCE in fault.message:
        return TOO_MUCH
    if fault.code == 100 and "appsecret_proof" in fault.message:
        return "100/proof"
    exact = f"{fault.code}/{fault.error_subcode}"
    return exact if MEANINGS.of(exact) else str(fault.code)


def _words(fault: GraphError) -> str:
    """With the trace id that Meta's support asks for; a token that the message repeats is cut out."""
    words = TOKENS.sub("…", fault.message)[:WORDS]
    return f"{words} [{fault.fbtrace_id[:40]}]" if fault.fbtrace_id else words
