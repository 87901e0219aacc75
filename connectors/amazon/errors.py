"""What Amazon's refusals mean: of a whole call by status and code, of one listing by its issues inside a success."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from connectors.errors import AuthorisationFailed, ConnectorError, Later, OtherShape, Unanswered, unlisted
from connectors.meanings import Meaning, Meanings
from connectors.typed import typed

ERROR = "ERROR"
TAKEN = {httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED}
TOO_LARGE, DELETED = "too-large", "13013"


class Resting(Later):
    """Not now: the SKU was deleted there less than a day ago. A later run asks again."""


MEANINGS = Meanings.beside(__file__, {"Resting": Resting})


class Issue(msgspec.Struct, frozen=True, rename="camel"):
    """Of one listing; a feed's report names one attribute where the API names several."""

    severity: str  # ERROR, WARNING or INFO; one that is new is no error we know of, and no success either
    message: str
    code: str = ""
    attribute_names: list[str] = []
    attribute_name: str = ""
    categories: list[str] = []
    message_id: int = 0


class _Fault(msgspec.Struct, frozen=True):
    code: str
    message: str = ""
    details: str | None = None


class _Body(msgspec.Struct, frozen=True):
    errors: list[_Fault]


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    status = f"HTTP {response.status_code}"
    if response.status_code in TAKEN:
        return None
    try:
        fault = typed(data, _Body).errors[0]
    except (msgspec.ValidationError, IndexError):
        fault = None
    if response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return ours(TOO_LARGE, fault.message if fault else "")
    if fault is None:
        return OtherShape("no-errors", status)
    words = " ".join(filter(None, (fault.message, fault.details)))
    if meaning := MEANINGS.of(fault.code, words):
        return meaning.error(fault.code, words)
    meaning = MEANINGS.of(status) or Meaning(kind=Unanswered)
    return unlisted(meaning.error(fault.code or status, words))


def refused_for(issues: Sequence[Issue]) -> ConnectorError:
    """The first error among them, with the words of all; it stands for a listing that was not taken."""
    errors = [issue for issue in issues if issue.severity == ERROR] or list(issues)
    if not errors:
        return unlisted(ours("no-issue"))
    first = next((issue for issue in errors if issue.code == DELETED), errors[0])
    words = "; ".join(dict.fromkeys(issue.message for issue in errors))
    names = first.attribute_names or [first.attribute_name]
    field = next(filter(None, (MEANINGS.field(name, "") for name in names)), "")
    codes = [code for code in (first.code, *first.categories) if code]
    known = next(filter(None, map(MEANINGS.of, codes)), None)
    error = (known or Meaning()).error(next(iter(codes), "issue"), words, field=field)
    return error if known else unlisted(error)


def login_error(status: int, data: Any) -> ConnectorError | None:
    """Of Login with Amazon; None where it is no refusal, so that it may be asked again."""
    code = data.get("error") if isinstance(data, dict) else None
    if status not in (400, 401) or not isinstance(code, str):
        return None
    return MEANINGS.error(code, str(data.get("error_description") or ""), otherwise=AuthorisationFailed)


def ours(code: str, words: str = "", field: str = "") -> ConnectorError:
    """What is said here and not by Amazon; its code is its name in the file."""
    return MEANINGS[code].error(code, words, field=field)
