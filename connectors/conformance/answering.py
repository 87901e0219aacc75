"""Scenarios of how a marketplace answers: strange, late, shuffled or not at all, it is never taken for a success."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr

from connectors.conformance.bench import JSON, Failed, Shop, expect, said
from connectors.conformance.scenario import batching, inapplicable, scenario
from connectors.conformance.writing import NEVER_ACKNOWLEDGED, all_taken, one_each
from connectors.errors import ConnectorError
from models.change import Change
from models.outcome import Outcome, Result
from models.text import Text

HTML = b"<!doctype html><html><body>Xin ch\xc3\xa0o, b\xe1\xba\xa3o tr\xc3\xac</body></html>"
UNHEARD_OF, UNHEARD_NUMBER = "KIT-UNHEARD-OF", 987_654_321
KEYS = ("KIT-1", "KIT-2", "KIT-3")
PATIENCE = 30  # seconds a marketplace asks us to wait
Rows = Callable[[list[Any]], list[Any]]


# --- results of a batch -----------------------------------------------------------------------------------------------


def with_rows(data: Any, change: Rows) -> tuple[Any, bool]:
    """Every list whose rows each name one of our keys, as `change` leaves it; and whether that changed one."""
    if isinstance(data, dict):
        inner = {name: with_rows(value, change) for name, value in data.items()}
        return {n: v for n, (v, _) in inner.items()}, any(met for _, met in inner.values())
    if not isinstance(data, list):
        return data, False
    if data and all(isinstance(row, dict) and set(KEYS) & set(scalars(row)) for row in data):
        after = change(data)
        return after, after != data
    parts = [with_rows(value, change) for value in data]
    return [value for value, _ in parts], any(met for _, met in parts)


def scalars(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        for value in data.values():
            yield from scalars(value)
    elif isinstance(data, list):
        for value in data:
            yield from scalars(value)
    else:
        yield data


def with_changed_rows(shop: Shop, changes: list[Change], change: Rows) -> dict[str, Result]:
    """What becomes of a batch whose answers list its items otherwise."""
    met = False

    def changed(data: Any) -> Any:
        nonlocal met
        after, found = with_rows(data, change)
        met = met or found
        return after

    shop.wire.rewrite(changed)
    results = shop.carry_out(changes)
    shop.wire.clear()
    if not met:
        inapplicable("câu trả lời không liệt kê từng mục", "no answer lists the items of a batch")
    return results


def one_bad_of_three(shop: Shop) -> list[Change]:
    return [*shop.create("KIT-1"), shop.unacceptable("KIT-2"), *shop.create("KIT-3")]


def by_key(shop: Shop, results: dict[str, Result], *sure: str) -> None:
    """Whatever is said of an item agrees with what is there of it."""
    for key in KEYS:
        result, there = results[key], key in shop.live()
        if result.outcome is Outcome.ACKNOWLEDGED:
            expect(there, Text(f"{key} đang bán", f"{key} live"), f"{said(result)}, {shop.live()}")
            ids = [one["remote_id"] for one in shop.shown(key)]
            own = Text(f"mã tin của chính {key}: {ids}", f"the id of {key} itself: {ids}")
            expect(not result.remote_id or result.remote_id in ids, own, result.remote_id)
        if result.outcome is Outcome.REJECTED:
            expect(not there, Text(f"{key} không bị từ chối", f"{key} not rejected"), said(result))
        if key in sure:
            expect(result.outcome in (Outcome.ACKNOWLEDGED, Outcome.REJECTED), SURE, said(result))


SURE = Text("kết quả chắc chắn", "a sure outcome")
DOUBTED = Text("mục không được nhắc đến là một nghi ngờ", "the item that is not spoken of to be in doubt")


@scenario("Kết quả bị xáo trộn: ghép theo khóa", "Shuffled results are matched by key", batching)
def results_shuffled(shop: Shop) -> None:
    by_key(shop, with_changed_rows(shop, one_bad_of_three(shop), lambda rows: [*rows[1:], rows[0]]), *KEYS)


@scenario("Thiếu một kết quả: mục đó là nghi ngờ", "A missing result leaves its item in doubt", batching)
def results_missing(shop: Shop) -> None:
    def without(rows: list[Any]) -> list[Any]:
        return [row for row in rows if "KIT-3" not in set(scalars(row))]

    results = with_changed_rows(shop, one_bad_of_three(shop), without)
    by_key(shop, results)
    silent = results["KIT-3"]
    expect(silent.outcome not in (Outcome.ACKNOWLEDGED, Outcome.REJECTED), DOUBTED, said(silent))
    made = silent.outcome is Outcome.DEFERRED and shop.shown("KIT-3")
    expect(not made, Text("không phải “chưa gửi”: tin đã có", "not “surely not applied”: it is there"), said(silent))


@scenario("Kết quả lặp hai lần: không sinh hai kết quả", "Doubled results are still one result for each item", batching)
def results_doubled(shop: Shop) -> None:
    by_key(shop, with_changed_rows(shop, one_bad_of_three(shop), lambda rows: [*rows, *rows]))


@scenario("Kết quả thừa của mục khác: bỏ qua", "Extra results of other items are ignored", batching)
def results_extra(shop: Shop) -> None:
    def more(rows: list[Any]) -> list[Any]:
        return [renamed(rows[0], "KIT-9"), *rows]

    by_key(shop, with_changed_rows(shop, one_bad_of_three(shop), more))


def renamed(data: Any, key: str) -> Any:
    if isinstance(data, dict):
        return {name: renamed(value, key) for name, value in data.items()}
    if isinstance(data, list):
        return [renamed(value, key) for value in data]
    return key if data in KEYS else data


# --- asked to wait ----------------------------------------------------------------------------------------------------


def throttled(shop: Shop, hint: dict[str, str]) -> dict[str, Result]:
    """The first requests of a push are told to wait."""
    shop.client.check()
    changes = shop.create("KIT-1")
    shop.wire.answer_all(429, b"{}", {**JSON, **hint}, times=2)
    shop.wire.at.clear()
    first = shop.wait(shop.push(changes))
    shop.wire.clear()
    waited = first["KIT-1"].outcome
    later = Text("hoãn lại hoặc đã xong, không phải từ chối", "deferred or done, never rejected")
    expect(waited in (Outcome.ACKNOWLEDGED, Outcome.DEFERRED), later, said(first["KIT-1"]))
    shop.clock.sleep(2 * PATIENCE)
    results = shop.carry_out(changes) if waited is Outcome.DEFERRED else first
    shop.clock.sleep(shop.connector.limits.settle_after)
    all_taken(results)
    one_each(shop, "KIT-1")
    return first


def waited_long_enough(shop: Shop) -> None:
    gaps = [after - before for before, after in zip(shop.wire.at, shop.wire.at[1:], strict=False)][:2]
    enough = Text(f"đợi ít nhất {PATIENCE} giây", f"at least {PATIENCE} seconds between the first requests")
    expect(all(gap >= PATIENCE - 1 for gap in gaps), enough, gaps)


@scenario("429 kèm số giây: đợi đúng hẹn rồi gửi", "429 with seconds: waits so long, then sends")
def throttled_with_seconds(shop: Shop) -> None:
    throttled(shop, {"Retry-After": str(PATIENCE)})
    waited_long_enough(shop)


@scenario("429 kèm ngày giờ: đợi đúng hẹn rồi gửi", "429 with a date: waits until then, then sends")
def throttled_with_a_date(shop: Shop) -> None:
    shop.client.check()
    until = shop.clock.now() + timedelta(seconds=PATIENCE)
    throttled(shop, {"Retry-After": format_datetime(until, usegmt=True)})
    expect(
        shop.wire.at[-1] - shop.wire.at[0] >= PATIENCE - 1, Text("đợi đến hẹn", "a wait until then"), shop.wire.at[:3]
    )


@scenario("429 kèm lời vô nghĩa: tự đợi rồi gửi", "429 with rubbish: waits by itself, then sends")
def throttled_with_rubbish(shop: Shop) -> None:
    throttled(shop, {"Retry-After": "soon, -1, NaN"})


@scenario("429 không kèm gì: tự đợi rồi gửi", "429 with nothing: waits by itself, then sends")
def throttled_with_nothing(shop: Shop) -> None:
    throttled(shop, {})


@scenario(
    "Hết hạn mức theo lời của chính sàn: gửi sau, không từ chối", "Its own words for “too fast” defer, never reject"
)
def quota_spent(shop: Shop) -> None:
    shop.client.check()
    changes, far = shop.create("KIT-1"), shop.sandbox
    with far.state.transaction():
        far.state.put("quota", "all", [0.0, far.clock.now().timestamp() + PATIENCE])
    first = shop.wait(shop.push(changes))["KIT-1"]
    later = Text("hoãn lại hoặc đã xong", "deferred or done")
    expect(first.outcome in (Outcome.ACKNOWLEDGED, Outcome.DEFERRED), later, said(first))
    shop.clock.sleep(10 * PATIENCE)
    all_taken(shop.carry_out(changes) if first.outcome is Outcome.DEFERRED else {"KIT-1": first})
    one_each(shop, "KIT-1")


# --- strange answers --------------------------------------------------------------------------------------------------


@scenario(
    "HTML thay cho JSON: không phải thành công, cũng không phải gian hàng trống",
    "HTML for JSON is no success and no empty shop",
)
def html_instead_of_json(shop: Shop) -> None:
    shop.make("KIT-0")
    for status in (200, 502):
        shop.wire.answer_all(status, HTML, {"Content-Type": "text/html"})
        result = shop.push(shop.create("KIT-1"))["KIT-1"]
        unsure = Text("một nghi ngờ hoặc hoãn lại", "a doubt or a deferral")
        expect(result.outcome in (Outcome.UNKNOWN, Outcome.DEFERRED), unsure, said(result))
        must_raise(lambda: shop.client.fetch(["KIT-0"]), "fetch")
        must_raise(lambda: list(shop.client.everything()), "everything")
        must_raise(shop.client.check, "check")


def must_raise(call: Callable[[], Any], name: str) -> None:
    try:
        found = call()
    except ConnectorError:
        return
    raise Failed(Text(f"{name} báo lỗi", f"{name} to raise"), found)


@scenario("Mã lỗi lạ: không phải thành công, và được ghi lại", "An unknown error code is no success, and is noted")
def unknown_error_code(shop: Shop) -> None:
    known = shop.carry_out([shop.unacceptable()])["KIT-BAD"]
    code = known.problem.code if known.problem else ""
    met = False

    def other(data: Any) -> Any:
        nonlocal met
        met = met or any(code and str(value) == code for value in scalars(data))
        return recoded(data, code)

    shop.wire.rewrite(other)
    result = shop.carry_out([shop.unacceptable()])["KIT-BAD"]
    shop.wire.clear()
    if not met:
        inapplicable(f"mã “{code}” không đứng riêng trong câu trả lời", f"“{code}” is no value of its own in an answer")
    expect(result.outcome is not Outcome.ACKNOWLEDGED, NEVER_ACKNOWLEDGED, said(result))
    noted = [one.name for session in shop.sessions for one in session.oddities.take()]
    expect(noted, Text("mã lạ được ghi lại (session.heard)", "the new code to be noted (session.heard)"), "nothing")


def recoded(data: Any, code: str) -> Any:
    if isinstance(data, dict):
        return {name: recoded(value, code) for name, value in data.items()}
    if isinstance(data, list):
        return [recoded(value, code) for value in data]
    if not code or str(data) != code:
        return data
    return UNHEARD_NUMBER if isinstance(data, int) else UNHEARD_OF


# --- secrets ----------------------------------------------------------------------------------------------------------


class Listening(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage() + repr(record.exc_info))


@scenario("Khóa bí mật không lọt ra chỗ nào", "Secrets are in no output")
def secrets_in_no_output(shop: Shop) -> None:
    secrets, told, ear = list(canaries(shop.credentials)), [], Listening()
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        told = list(told_by(shop, " ".join(secrets)))
    finally:
        root.removeHandler(ear)
        root.setLevel(level)
    told += [*ear.told, repr(shop.sandbox.show()), repr(shop.sessions), repr(shop.credentials)]
    leaks = [text.replace(secret, "***")[:60] for secret in secrets for text in told if secret in text]
    expect(not leaks, Text("không lời nào chứa khóa", "no output to hold a secret"), leaks)


def canaries(credentials: Any) -> Iterator[str]:
    values = [value for _, value in credentials] if isinstance(credentials, BaseModel) else []
    yield from (value.get_secret_value() for value in values if isinstance(value, SecretStr))


def told_by(shop: Shop, secrets: str) -> Iterator[str]:
    """Everything a connector says when things go well, badly, and when a proxy repeats what it was sent."""
    yield repr(shop.carry_out([*shop.create("KIT-1"), shop.unacceptable()]))
    yield repr(shop.client.fetch(["KIT-1"]))
    page = f"<html>{secrets}</html>".encode()
    for status, body in ((200, page), (403, b"{}"), (500, page), (418, b'{"x":1}')):
        shop.wire.answer_all(status, body, JSON)
        yield from heard(lambda: shop.client.push(shop.create("KIT-2")))
        yield from heard(lambda: shop.client.fetch(["KIT-1"]))
        yield from heard(lambda: shop.open().check())
    yield from (repr(one) for session in shop.sessions for one in session.oddities.take())


def heard(call: Callable[[], Any]) -> Iterator[str]:
    try:
        yield repr(call())
    except (ConnectorError, httpx.HTTPError) as error:
        yield f"{error!r} {error} {getattr(error, 'words', '')} {getattr(error, 'message', '')}"
