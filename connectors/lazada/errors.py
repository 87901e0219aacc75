"""What Lazada's codes mean: HTTP 200 says nothing, the string `code` does, and `detail` for umbrella codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

from connectors.errors import ConnectorError, OtherShape, Refused, Unanswered, unlisted
from connectors.iop import OK, Codes, without_envelope
from connectors.meanings import WORDS, Meanings

NOT_ONLINE, TIMED_OUT = "E0004", "ServiceTimeout"
MEANINGS = Meanings.beside(__file__)
UMBRELLAS = frozenset({"500", "501", "503", "504", "4108", "4135"})
CODES = Codes(own=MEANINGS, final=re.compile(r"4[12]\d\d"), umbrellas=UMBRELLAS)


class RowsRefused(Refused):
    """Some rows of one call; of the others nothing is said, so they are read back."""

    def __init__(self, code: str, words: str, rows: dict[str, Refused]) -> None:
        super().__init__(code, words)
        self.rows = rows


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    if error := without_envelope(response, data):
        return error
    if not isinstance(data.get("code"), str):
        return OtherShape("no-envelope", "code")
    if data["code"] != OK:
        return _error(data)
    if str(data.get("success", "true")).lower() == "false":  # the brands say so beside a code of success
        return unlisted(Unanswered(str(data.get("error_code") or "success-false"), str(data.get("error_msg", ""))))
    return None


def _error(data: dict[str, Any]) -> ConnectorError:
    code, details = data["code"], list(_details(data.get("detail")))
    message = str(data.get("message") or "")
    words = "; ".join(filter(None, (str(d.get("message") or "") for d in details))) or message
    rows = {row: CODES.error(code, str(d.get("message") or "") or words, str(d)) for d in details if (row := _row(d))}
    if rows and code in UMBRELLAS and all(isinstance(error, Refused) for error in rows.values()):
        return RowsRefused(code, words[:WORDS], rows)  # type: ignore[arg-type]  # the line above has seen to it
    field = next((str(d["field"]) for d in details if d.get("field")), "")
    return CODES.error(code, words, f"{message} {details}", MEANINGS.field(field.lower(), ""))


def _details(detail: Any) -> Iterator[dict[str, Any]]:
    return (one for one in detail if isinstance(one, dict)) if isinstance(detail, list) else iter(())


def _row(detail: dict[str, Any]) -> str:
    return str(detail.get("seller_sku") or detail.get("sku") or "")
