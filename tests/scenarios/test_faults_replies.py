"""Answers that are not what they seem: errors inside a success, other people's results, replies of another shape."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.oddities import Oddity, redacted
from flows.steps.oddities import MOST, keep_oddities
from flows.steps.plan import Selection
from flows.views import oddities, status
from models.catalogue import Product
from models.database import writing
from models.report import DONE, DOWN
from models.value import replace
from tests.scenarios.retold import Instead, Retold, body_of, envelope
from tests.scenarios.world import Inline, World, part, priced

NEW_CODE = {"madeincamau": "unexpected-answer", "postmart": "E-77", "voso": "299"}
FAILED = Selection(failed=True)
CANARY = "lan.nguyen@example.vn"
TEXT = f"<text of {len(CANARY)}>"


# --- an error inside a success ----------------------------------------------------------------------------------------


def refuse_strangely(world: World, market: str, sku: str) -> Callable[[], None]:
    """The create of this SKU is answered with a success that says no, in a code nobody has documented."""
    if market == "postmart":
        return _refuse_in_a_batch(world, sku)
    wire = Retold(world, market)
    wire.instead = {"madeincamau": _refusing_put, "voso": _refusing_create}[market](sku)

    def end() -> None:
        wire.instead = lambda request: None

    return end


def _refusing_put(sku: str) -> Instead:
    told = {"errors": [{"field": "", "code": "E-77", "message_vi": "Lạ."}]}

    def instead(request: httpx.Request) -> httpx.Response | None:
        is_it = request.method == "PUT" and request.url.path.endswith(sku)
        return httpx.Response(200, json=told) if is_it else None

    return instead


def _refusing_create(sku: str) -> Instead:
    def instead(request: httpx.Request) -> httpx.Response | None:
        is_it = request.url.path.endswith("/create") and body_of(request)["product_code"] == sku
        return envelope(299, "Lạ.") if is_it else None

    return instead


def _refuse_in_a_batch(world: World, sku: str) -> Callable[[], None]:
    marketplace = world.sandboxes["postmart"].marketplace
    upsert = marketplace._upsert

    def strange(item: Any) -> dict[str, Any]:
        errors = [{"code": "E-77", "message_vi": "Lạ.", "field": ""}]
        return {"external_id": sku, "status": "error", "errors": errors} if item.external_id == sku else upsert(item)

    marketplace._upsert = strange
    return lambda: setattr(marketplace, "_upsert", upsert)


def test_M03_an_error_inside_a_success_is_none_and_its_code_is_told(lone: World, market: str) -> None:
    lone.put(*lone.shrimps(4))
    end = refuse_strangely(lone, market, "TK001")

    report = lone.night()
    shown = set(lone.shown(market))
    ledger = lone.ledger(market, "TK001")
    state = lone.state(market, "TK001")
    end()
    for _ in range(2):
        lone.night(FAILED)
        lone.night()

    assert part(report, market).counts["created"] == 3
    assert shown == {"TK000", "TK002", "TK003"}
    assert "acknowledged" not in ledger
    assert state.status == "absent"
    codes = {problem["code"] for problem in part(report, market).problems if problem.get("key") == "TK001"}
    assert codes == {NEW_CODE[market]}
    assert report.exit_code != DONE
    assert len(lone.sandboxes[market].show()["listings"]) == 4
    lone.assert_in_step()


@pytest.mark.parametrize("market", ["postmart", "voso"], indirect=True)
def test_M03_a_new_code_is_counted_and_told_by_name(lone: World, market: str) -> None:
    """Per account, in the report of the run that met it and in `caybeo status` from then on."""
    lone.put(*lone.shrimps(4))
    end = refuse_strangely(lone, market, "TK001")

    report = lone.night()
    end()
    later = lone.night(FAILED)

    code, times = NEW_CODE[market], {"postmart": 1, "voso": 3}[market]  # a doubt is planned again in the same run
    (told,) = (p for p in part(report, market).problems if p["code"] == "new-code")
    assert f"{code} ({times})" in told["message"].vi
    assert f"caybeo oddities --account {market}" in told["next_step"].vi
    assert "new-code" not in {p["code"] for p in part(later, market).problems}
    (shown,) = status(lone.database, lone.accounts(), lone.clock)["accounts"]
    assert shown["oddities"] == {"code": {code: times}}


def test_M03_new_codes_without_end_do_not_fill_the_database(lone: World) -> None:
    met = {Oddity(operation="put", kind="code", name=f"E-{n:04}"): 1 for n in range(1000)}

    with writing(lone.database) as db:
        keep_oddities(db, "voso", met, lone.clock.now())
        keep_oddities(db, "voso", met, lone.clock.now())

    assert [row["times"] for row in oddities(lone.database)] == [2] * MOST


def test_M03_what_is_not_met_for_a_month_is_forgotten(lone: World) -> None:
    old, new = (Oddity(operation="put", kind="code", name=name) for name in ("E-1", "E-2"))
    with writing(lone.database) as db:
        keep_oddities(db, "voso", {old: 1}, lone.clock.now())
        keep_oddities(db, "voso", {new: 1}, lone.clock.now() + timedelta(days=31))

    assert [row["name"] for row in oddities(lone.database)] == ["E-2"]


# --- results of others ------------------------------------------------------------------------------------------------


def test_M05_doubled_missing_and_foreign_lines_are_each_looked_up_or_left(tmp_path: Path) -> None:
    """Of four results the first comes twice and differs, the second never, and one is about somebody else."""
    world = World(tmp_path, ["postmart"], pool=Inline)
    world.put(*world.shrimps(4))

    def told(request: httpx.Request, answer: Any) -> Any:
        if "results" not in answer or answer.get("status") != "done":
            return answer
        lines = {line["external_id"]: line for line in answer["results"]}
        refused = lines["TK000"] | {"status": "error", "remote_id": None, "errors": [{"code": "invalid_value"}]}
        stranger = lines["TK003"] | {"external_id": "CUA-NGUOI-KHAC", "remote_id": "BD9999999"}
        return answer | {"results": [lines["TK003"], refused, stranger, lines["TK002"], lines["TK000"]]}

    Retold(world, "postmart").told = told

    world.night()
    world.night()

    ended = {row.sku: row.status for row in world.outbox("postmart")}
    assert ended == dict.fromkeys(["TK000", "TK001", "TK002", "TK003"], "acknowledged")
    for sku, shown in world.shown("postmart").items():
        assert world.state("postmart", sku).remote_id == shown["remote_id"]
    assert len([one for one in world.wires["postmart"].sent if one.endswith("/batches")]) == 1
    world.assert_in_step()
    world.close()


@pytest.mark.parametrize("market", ["madeincamau", "voso"], indirect=True)
def test_M05_an_answer_about_another_product_is_not_believed(lone: World, market: str) -> None:
    """Every create is answered with the product that was made before it, as a cache in between might."""
    wire, last = Retold(lone, market), [None]

    def told(request: httpx.Request, answer: Any) -> Any:
        if not (request.method == "PUT" or request.url.path.endswith("/create")):
            return answer
        before, last[0] = last[0], answer
        return before or answer

    wire.told = told
    lone.put(*lone.shrimps(4))

    first = lone.night()
    wire.told = lambda request, answer: answer
    for _ in range(2):
        lone.night()

    assert part(first, market).counts["created"] <= 4
    assert len(lone.sandboxes[market].show()["listings"]) == 4
    for sku, shown in lone.shown(market).items():
        assert lone.state(market, sku).remote_id == shown["remote_id"]
    lone.assert_in_step()


# --- another shape ----------------------------------------------------------------------------------------------------

ENUMS = ("status", "state")
OTHER_TYPE: dict[type, Callable[[Any], Any]] = {
    str: lambda value: {"vi": value},
    bool: int,
    int: str,
    float: str,
    list: lambda value: {"items": value},
    dict: lambda value: [value],
    type(None): lambda value: "null",
}


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every field of a document, as the way to it."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in inner:
        if isinstance(document, dict):
            yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def reshaped(rng: random.Random, document: Any) -> Any:
    """The document with one field renamed, of another type, gone, or saying something its list of words lacks."""
    if not isinstance(document, dict) or not document:
        return document
    everywhere = list(places(document))
    deciding = [place for place in everywhere if place[-1] in ENUMS]  # few among many, and what the most hangs on
    *way, field = rng.choice(deciding if deciding and rng.random() < 0.3 else everywhere)
    inner = document
    for key in way:
        inner = inner[key]
    how = rng.choice(["rename", "retype", "drop"] + ["enum"] * 2 * (field in ENUMS))
    value = inner.pop(field)
    if how == "rename":
        inner[f"{field}_v2"] = value
    elif how == "retype":
        inner[field] = OTHER_TYPE[type(value)](value)
    elif how == "enum":
        inner[field] = "moi-2027" if isinstance(value, str) else value
    return document


def believed(world: World, market: str) -> set[str]:
    """SKUs that our records call shown, with nothing left to do."""
    with world.database.connect() as db:
        rows = db.exec_driver_sql("SELECT sku, status, outcome, due_reason FROM listing_state").fetchall()
    open_rows = {row.sku for row in world.outbox(market) if row.done_at is None}
    done = {
        row.sku
        for row in rows
        if (row.status, row.outcome) == ("live", "listed") and row.due_reason in (None, "calendar")
    }
    return done - open_rows


def refused_for_good(product: Product) -> Product:
    """Every marketplace takes composed Unicode alone."""
    return replace(product, name=product.name.replace("ô", "o\u0302"))


@pytest.mark.parametrize("seed", range(6))
def test_M17_replies_of_another_shape_are_never_taken_for_a_success(lone: World, market: str, seed: int) -> None:
    """Two nights in which every third reply has changed its shape; what is believed all the same is true."""
    rng, wire = random.Random(seed), Retold(lone, market)
    wire.told = lambda request, answer: reshaped(rng, answer) if rng.random() < 0.33 else answer
    *good, bad = lone.shrimps(6)

    for price in (250_000, 260_000):
        lone.put(*(priced(product, price) for product in good), refused_for_good(bad))
        lone.night()
        lone.clock.advance(minutes=1)  # whatever is reviewed or worked on there has come to its end
        known, wanted, there = believed(lone, market), lone.projected(market), lone.read_back(market)
        assert {sku: there.get(sku) for sku in known} == {sku: wanted[sku] for sku in known}
        refused = {row.sku for row in lone.outbox(market) if row.status == "rejected"}
        assert refused <= {bad.product_id}, "what the marketplace took is called refused"
    lone.reconcile()
    wire.told = lambda request, answer: answer
    lone.put(*(priced(product, 260_000) for product in (*good, bad)))
    for _ in range(2):
        lone.night(FAILED)
        lone.clock.advance(minutes=10)
        report = lone.night()

    assert report.exit_code == DONE, report.as_json()
    assert len(lone.sandboxes[market].show()["listings"]) == 6
    lone.assert_in_step()


def is_login(request: httpx.Request) -> bool:
    return request.url.path.endswith(("/token", "/Login", "/ownerconnect"))


def test_M17_a_reply_of_another_shape_leaves_a_redacted_sample_and_says_where(lone: World, market: str) -> None:
    """One per account, call and shape, so that an engineer sees what came without asking for the wire."""
    strange = {"status": "moi-2027", "email": CANARY, CANARY: [CANARY], "phone": 84912345678}
    wire = Retold(lone, market)
    wire.told = lambda request, answer: answer if is_login(request) else strange
    lone.put(*lone.shrimps(4))

    report = lone.night()
    lone.night(FAILED)

    kept = oddities(lone.database, market)
    (told,) = (p for p in part(report, market).problems if p["code"] == "other-shape")
    assert f"caybeo oddities --account {market}" in told["next_step"].vi
    assert {row["kind"] for row in kept} == {"shape"}
    assert len({(row["operation"], row["name"]) for row in kept}) == len(kept)
    assert sum(row["times"] for row in kept) > len(kept)
    assert kept[0]["sample"] == {"status": "moi-2027", "email": TEXT, "<key>": [TEXT], "phone": "<number>"}
    assert not any(CANARY in line for rows in lone.dump().values() for line in rows)


def test_M17_a_sample_is_small_and_repeats_no_secret() -> None:
    """Whatever the marketplace puts into a field whose values are otherwise kept."""
    password = "mat-khau"
    deep: Any = {"a": None}
    for _ in range(20):
        deep = {"a": deep}

    assert redacted({"code": password, "status": "0912345678", "error": True}, [password]) == {
        "code": "<text of 8>",
        "status": "<text of 10>",
        "error": True,
    }
    assert len(repr(redacted(deep))) < 200
    assert redacted({"items": [{"id": n} for n in range(1000)]}) == {"items": [{"id": "<number>"}] * 3}
    assert redacted([{f"{letter * 36}{n:02}": "x" for n in range(40)} for letter in "abc"]) == "<too large>"


CURSOR = {"madeincamau": "next_cursor", "postmart": "next_cursor", "voso": "total"}


@pytest.mark.parametrize("how", ["gone", "renamed"])
def test_M17_a_page_without_its_cursor_is_not_the_last(
    lone: World, market: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for the end it would make every listing behind it look deleted by hand."""
    monkeypatch.setattr(f"connectors.{market}.client.PAGE", "2" if market == "madeincamau" else 2)
    lone.put(*lone.shrimps(5))
    lone.night()
    wire, listings = Retold(lone, market), lone.sandboxes[market].show()["listings"]

    def told(request: httpx.Request, answer: Any) -> Any:
        page = answer["data"] if market == "voso" and isinstance(answer.get("data"), dict) else answer
        if CURSOR[market] in page:
            value = page.pop(CURSOR[market])
            page |= {f"{CURSOR[market]}_v2": value} if how == "renamed" else {}
        return answer

    wire.told = told

    report = lone.reconcile(heal=True)

    assert report.exit_code == DOWN, report.as_json()
    assert lone.sandboxes[market].show()["listings"] == listings
