"""What Alibaba.com's codes mean: HTTP 200 says nothing, and success is said on three levels of one answer."""

from __future__ import annotations

import re
from typing import Any

import httpx

from connectors.errors import Conflict, ConnectorError, Later, OtherShape, Refused, Throttled, Unanswered, unlisted
from connectors.iop import OK, Codes, without_envelope
from connectors.meanings import WORDS, Meanings
from models.value import replace

NO_PRODUCT = "Product not found."  # told in words alone, without a code
GONE = ("B_PRODUCT_NOT_FOUND", NO_PRODUCT)
MEANINGS = Meanings.beside(__file__)
CODES = Codes(own=MEANINGS, final=re.compile(r"(B_|CHK_|PUB_BIZCHECK_).*", re.DOTALL))


class SomeRefused(Conflict):
    """Of a call for several: which products were done, and why the others were not. Of any other call it is a doubt."""

    def __init__(self, code: str, words: str, done: set[str], refused: dict[str, ConnectorError]) -> None:
        super().__init__(code, words)
        self.done, self.refused = done, refused


def classify(response: httpx.Response, data: Any) -> ConnectorError | None:
    if error := without_envelope(response, data):
        return error
    if isinstance(gateway := data.get("error_response"), dict):
        return error_of(gateway)
    if "code" not in data and data.get("type") and data.get("message"):
        return error_of(data)
    if not isinstance(data.get("code"), str):
        return OtherShape("no-envelope", "code")
    return error_of(data) if data["code"] != OK else _business(data)


def _business(data: dict[str, Any]) -> ConnectorError | None:
    """The gateway was content; what stands inside may still be a refusal, even beside a success."""
    result = data.get("result")
    levels = [data, result] if isinstance(result, dict) else [data]
    for level in levels:
        if isinstance(level.get("errors"), list) and level["errors"]:
            return _some(level)
    return next((error_of(level) for level in levels if str(level.get("success", "")).lower() == "false"), None)


def _some(level: dict[str, Any]) -> SomeRefused:
    refused: dict[str, ConnectorError] = {}
    for one in filter(lambda one: isinstance(one, dict), level["errors"]):
        nested = one.get("errors")
        inner = nested[0] if isinstance(nested, list) and nested and isinstance(nested[0], dict) else one
        refused[str(one.get("product_id", ""))] = error_of(inner)
    done = level.get("updated_product_ids")
    first = next(iter(refused.values()), Unanswered("errors"))
    return SomeRefused(first.code, first.words, set(map(str, done if isinstance(done, list) else [])), refused)


def error_of(said: dict[str, Any]) -> ConnectorError:
    """Of one error as the marketplace words it, in any of its places."""
    names = ("msg_code", "code", "error_code")
    raw = next((str(said[name]) for name in names if said.get(name) and str(said[name]) != OK), "")
    texts = ("message", "msg", "error_msg", "message_info")
    words = next((str(said[name]) for name in texts if said.get(name)), "")[:WORDS]
    return of_codes(raw or (words if words == NO_PRODUCT else ""), words)


def of_codes(raw: str, words: str) -> ConnectorError:
    """Several codes may come joined, each behind a prefix: isp.system-service-error:PUB_BIZCHECK_X;B_Y.

    One that refuses for good outranks one that asks to wait.
    """
    codes = [part.strip().rpartition(":")[2].strip() for part in raw.split(";") if part.strip()]
    errors = [CODES.error(code, words or raw) for code in codes] or [unlisted(Unanswered("no-code", words))]
    return min(errors, key=_rank)


def _rank(error: ConnectorError) -> int:
    final = isinstance(error, Refused) and not isinstance(error, Later)
    return (not final) + isinstance(error, Throttled)


def not_published(reason: str) -> ConnectorError:
    """The verdict of checks or review; its codes have their sentences, whatever else they would mean in an answer."""
    verdict = MEANINGS["not-published"]
    found = of_codes(reason, reason) if reason else Refused("not-published")
    told = replace(verdict, next_step=found.next_step or verdict.next_step, field=found.field)
    refused = told.error(found.code, reason)
    return unlisted(refused) if found.unlisted else refused
