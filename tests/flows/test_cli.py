"""The command line as an operator or a script meets it: documents, exit codes, Vietnamese sentences, no tracebacks."""

from __future__ import annotations

import csv
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine
import uvicorn
from sqlalchemy import update
from typer.testing import CliRunner

from connectors.registry import connector, names
from connectors.server import application
from connectors.simulator import Sandbox
from flows import wiring
from flows.accounts import sandbox_of
from flows.cli import app
from flows.settings import Settings
from flows.steps.context import Context
from flows.wiring import open_home
from models.clock import SystemClock
from models.database import writing
from models.lease import HeldLease
from models.tables import SourceRow, core
from models.timetable import PRODUCT
from tests.flows.instance import free_port
from tests.scenarios.world import Inline

DATA = Path(__file__).parents[2] / "data"
SHELVES = tuple(name for name in names() if connector(name).currencies[0] == "VND")  # abroad nothing has a name yet
DONE, PEOPLE, USAGE, REFUSED, HELD, BUSY, AUTHORISE, DOWN = range(8)
COUNTS = {
    "created", "updated", "delisted", "unchanged", "unlistable", "accepted", "rejected", "deferred", "unknown",
    "quarantined", "held",
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What one command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def caybeo(*words: str, stdin: str | None = None) -> Said:
    result = CliRunner().invoke(app, list(words), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    for text in (result.stdout, result.stderr):
        assert "Traceback" not in text, text
    return Said(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="module", autouse=True)
def hand_clock() -> Iterator[None]:
    """A day in November 2026 on which waiting takes no time.

    What a pool would send at once is sent in turn: threads that wait beside each other would each move this clock.
    """
    with time_machine.travel("2026-11-23T02:00:00Z") as traveller, pytest.MonkeyPatch.context() as patch:
        slept = 0.0

        def sleep(self: SystemClock, seconds: float) -> None:
            nonlocal slept
            slept += seconds
            traveller.shift(seconds)

        patch.setattr(SystemClock, "sleep", sleep)
        patch.setattr(SystemClock, "monotonic", lambda self: slept)
        patch.setattr(wiring, "Context", partial(Context, pool=Inline))
        yield


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said, Said]:
    """A home after the first two commands a newcomer types."""
    home = tmp_path_factory.mktemp("shipped") / "home"
    inbox = home.parent / "inbox"
    inbox.mkdir()
    for file in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        shutil.copy(DATA / file, inbox)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAYBEO_HOME", str(home))
        added = caybeo("sources", "add", str(inbox / "ocop_ca_mau.csv"), str(inbox / "offers.csv"), "--json")
        first = caybeo("nightly", "--json")
    return home.parent, added, first


@pytest.fixture
def home(shipped: tuple[Path, Said, Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it with its own source files."""
    place = tmp_path / "own"
    shutil.copytree(shipped[0], place)
    monkeypatch.setenv("CAYBEO_HOME", str(place / "home"))
    sources = core(SourceRow)
    database = open_home(Settings())
    with writing(database) as db:
        for file in ("ocop_ca_mau.csv", "offers.csv"):
            row = update(sources).where(sources.c.name == file)
            db.execute(row.values(location=str(place / "inbox" / file)))
    database.dispose()
    return place


def edit(home: Path, file: str, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    """Rewrites a source as a person with a spreadsheet would."""
    path = home / "inbox" / file
    with path.open(encoding="utf-8-sig", newline="") as source:
        rows = list(csv.DictReader(source))
        heads = list(rows[0])
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, heads)
        writer.writeheader()
        writer.writerows(change(rows))


def set_price(home: Path, sku: str, price: object) -> None:
    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        return [row | {"price_vnd": str(price), "list_price_vnd": ""} if row["sku"] == sku else row for row in rows]

    edit(home, "offers.csv", change)


def keep_only(home: Path, count: int) -> None:
    edit(home, "ocop_ca_mau.csv", lambda rows: rows[:count])


def shelf(name: str) -> Any:
    return caybeo("sandbox", "show", name, "--json").json


def writes() -> dict[str, int]:
    return {name: shelf(name)["requests"]["write"] for name in SHELVES}


def by_account(report: Said) -> dict[str, Any]:
    return {account["account"]: account for account in report.json["accounts"]}


# --- the first run, and the one after it ------------------------------------------------------------------------------


def test_the_first_night_lists_the_shipped_catalogue(shipped: tuple[Path, Said, Said]) -> None:
    _, added, first = shipped

    assert added.json == {"sources": ["ocop_ca_mau.csv", "offers.csv"]}
    assert first.code == DONE, first.out
    assert first.json["status"] == "completed"
    for name in SHELVES:
        account = by_account(first)[name]
        assert account["counts"]["created"] == account["live"] > 80


def test_the_run_report_has_the_documented_shape(shipped: tuple[Path, Said, Said]) -> None:
    report = shipped[2].json

    assert {"run_id", "trigger", "started_at", "finished_at", "status", "dry_run", "accounts"} <= set(report)
    assert report["dry_run"] is False
    assert [a["account"] for a in report["accounts"]] == list(names())
    for account in report["accounts"]:
        assert {
            "account",
            "marketplace",
            "mode",
            "status",
            "counts",
            "requests",
            "throttled",
            "seconds",
            "problems",
        } <= set(account)
        assert set(account["counts"]) == COUNTS
        assert all(isinstance(count, int) for count in account["counts"].values())
        assert account["mode"] == "sandbox"
        for problem in account["problems"]:
            assert {"key", "field", "code", "message", "next_step"} == set(problem)
            assert all(isinstance(text, str) for text in problem.values())


def test_every_listing_there_is_one_of_ours_once(shipped: tuple[Path, Said, Said], home: Path) -> None:
    for name in SHELVES:
        shown = shelf(name)
        live = [one["key"] for one in shown["listings"] if one["status"] == "live"]
        assert len(live) == len(set(live)) == by_account(shipped[2])[name]["live"]
        assert set(shown["listings"][0]) == {
            "key", "remote_id", "title", "price", "currency", "stock", "status", "updated_at", "payload",
        }  # fmt: skip


def test_a_second_night_writes_nothing(home: Path) -> None:
    before = writes()

    report = caybeo("nightly", "--json")

    assert report.code == DONE
    assert writes() == before
    for account in report.json["accounts"]:
        assert account["counts"]["unchanged"] == account["live"]


def test_one_price_is_one_update_of_that_facet_everywhere_and_told_in_vietnamese(home: Path) -> None:
    set_price(home, "CM001", 58_000)
    before = writes()

    report = caybeo("nightly", "--json")
    told = caybeo("timeline", "CM001")
    record = caybeo("timeline", "CM001", "--json").json

    assert report.code == DONE
    assert {name: count - before[name] for name, count in writes().items()} == dict.fromkeys(SHELVES, 1)
    for name in SHELVES:
        assert by_account(report)[name]["counts"]["updated"] == 1
        assert next(one["price"] for one in shelf(name)["listings"] if one["key"] == "CM001") == 58_000
    sent = [e for e in record["events"] if e["event"] == "sent" and e["detail"]["kind"] == "update"]
    assert [e["detail"]["facets"] for e in sent] == ["price"] * len(SHELVES)
    assert "cập nhật (giá)" in told.out
    assert "58.000" in told.out
    assert "None" not in told.out
    assert "Bánh phồng tôm NaCaMa" in told.out


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_marketplace_that_fails_is_told_and_heals(home: Path) -> None:
    set_price(home, "CM001", 58_000)
    caybeo("sandbox", "fault", "madeincamau", "--status", "503", "--times", "1000")

    failed = caybeo("nightly", "--json")
    caybeo("sandbox", "fault", "madeincamau", "--seconds", "0.01", "--times", "1")
    healed = caybeo("nightly", "--json")

    assert failed.code in (PEOPLE, DOWN)
    assert by_account(failed)["postmart"]["counts"]["updated"] == 1
    assert healed.code == DONE, healed.out
    assert next(one["price"] for one in shelf("madeincamau")["listings"] if one["key"] == "CM001") == 58_000


def test_N06_a_lost_answer_makes_no_second_listing(home: Path) -> None:
    caybeo("sandbox", "reset", "voso")
    caybeo("sandbox", "fault", "voso", "--drop", "--times", "6")

    for _ in range(3):  # a night gives up after three requests without an answer
        report = caybeo("nightly", "--json")

    live = [one["key"] for one in shelf("voso")["listings"] if one["status"] == "live"]
    assert report.code == DONE, report.out
    assert len(live) == len(set(live)) == by_account(report)["voso"]["live"]


def test_an_emptied_sandbox_is_filled_again(home: Path) -> None:
    live = len(shelf("postmart")["listings"])

    reset = caybeo("sandbox", "reset", "postmart", "--json")
    emptied = shelf("postmart")["listings"]
    caybeo("nightly")

    assert reset.json == {"reset": ["postmart"], "accounts": ["postmart"]}
    assert (emptied, len(shelf("postmart")["listings"])) == ([], live)


# --- guards -----------------------------------------------------------------------------------------------------------


def test_a_shrunken_source_waits_until_it_is_approved(home: Path) -> None:
    keep_only(home, 60)
    before = writes()

    held = caybeo("nightly", "--json")
    status = caybeo("status", "--json").json
    (source,) = [s for s in held.json["sources"] if s["status"] == "held"]
    approved = caybeo("approve", str(source["plan_id"]), "--reason", "hết mùa", "--json")

    assert held.code == HELD
    assert held.json["status"] == "held"
    assert [plan["id"] for plan in status["held_plans"]] == [source["plan_id"]]
    assert status["held_plans"][0]["reasons"][0]["code"] == "shrunken-source"
    assert approved.code == DONE, approved.out
    assert all(by_account(approved)[name]["counts"]["delisted"] > 20 for name in SHELVES)
    assert writes() != before
    with (home / "inbox" / "ocop_ca_mau.csv").open(encoding="utf-8", newline="") as file:
        kept = {row["row_id"][:5] for row in csv.DictReader(file)}
    assert {one["key"][:5] for one in shelf("postmart")["listings"] if one["status"] == "live"} <= kept


def test_the_held_source_is_told_with_what_to_type(home: Path) -> None:
    keep_only(home, 60)

    held = caybeo("nightly")

    assert held.code == HELD
    assert "caybeo approve" in held.out
    assert len(shelf("voso")["listings"]) > 80


def test_a_refused_plan_sends_nothing(home: Path) -> None:
    set_price(home, "CM001", 570_000)
    held = caybeo("nightly", "--json")
    plans = [plan["id"] for account in held.json["accounts"] for plan in account["plans"]]
    before = writes()

    refused = [caybeo("approve", str(plan), "--refuse", "--reason", "gõ nhầm", "--json") for plan in plans]
    after = caybeo("nightly", "--json")

    assert held.code == HELD
    assert len(plans) == len(SHELVES)
    assert [said.json["status"] for said in refused] == ["refused"] * len(SHELVES)
    assert after.code == DONE
    assert writes() == before


def test_a_plan_is_shown_then_applied(home: Path) -> None:
    set_price(home, "CM002", 51_000)
    caybeo("import", str(home / "inbox" / "offers.csv"))

    plan = caybeo("plan", "--account", "postmart", "--json")
    (made,) = plan.json["plans"]
    untouched = next(one["price"] for one in shelf("postmart")["listings"] if one["key"] == "CM002")
    shown = caybeo("plan", "show", str(made["plan_id"]), "--json").json
    applied = caybeo("apply", str(made["plan_id"]), "--json")

    assert (plan.code, untouched) == (DONE, 50_000)
    assert [(c["sku"], c["kind"], c["facets"]) for c in made["changes"]] == [("CM002", "update", "price")]
    assert [(c["sku"], c["status"]) for c in shown["changes"]] == [("CM002", "planned")]
    assert applied.code == DONE
    assert next(one["price"] for one in shelf("postmart")["listings"] if one["key"] == "CM002") == 51_000
    assert caybeo("apply", str(made["plan_id"])).code == USAGE


def test_an_approval_shows_what_it_lets_through_and_under_which_code(home: Path) -> None:
    set_price(home, "CM001", 570_000)
    held = caybeo("nightly", "--account", "postmart", "--json")
    (plan,) = held.json["accounts"][0]["plans"]
    code = caybeo("plan", "show", str(plan["id"]), "--json").json["digest"][:8]

    other = caybeo("approve", str(plan["id"]), "--digest", "0" * 8)
    said = caybeo("approve", str(plan["id"]), "--reason", "hàng tuyển", "--digest", code)

    assert other.code == USAGE
    assert said.code == DONE, said.out
    assert f"mã {code}: 1 cập nhật" in said.out
    assert "570.000" in said.out
    assert next(one["price"] for one in shelf("postmart")["listings"] if one["key"] == "CM001") == 570_000


def test_a_held_plan_names_the_number_to_approve(home: Path) -> None:
    """Forty percent more for everything: the whole plan waits."""

    def dearer(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        return [row | {"price_vnd": str(int(row["price_vnd"]) * 14 // 10), "list_price_vnd": ""} for row in rows]

    edit(home, "offers.csv", dearer)
    caybeo("import", str(home / "inbox" / "offers.csv"))

    said = caybeo("plan", "--account", "postmart")

    assert said.code == HELD
    assert "None" not in said.out
    assert "caybeo approve" in said.out


# --- sources ----------------------------------------------------------------------------------------------------------


def test_rows_that_cannot_be_read_are_set_aside_one_by_one(home: Path) -> None:
    set_price(home, "CM003", "mười nghìn")

    report = caybeo("nightly", "--json")
    (source,) = [s for s in report.json["sources"] if s["set_aside"]]
    (row,) = source["set_aside"]

    assert report.code == PEOPLE
    assert (row["file"], row["column"], row["value"]) == ("offers.csv", "price_vnd", "mười nghìn")
    assert row["row"] == 4
    assert row["next_step"]


def test_a_bad_row_is_told_to_people_too(home: Path) -> None:
    set_price(home, "CM003", "mười nghìn")

    said = caybeo("import", str(home / "inbox" / "offers.csv"))

    assert said.code == PEOPLE
    for words in ("offers.csv", "4", "price_vnd", "mười nghìn"):
        assert words in said.out


def test_a_file_of_another_kind_is_refused_whole(home: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "danhba.csv"
    wrong.write_text("Họ tên,Điện thoại\nLan,0912345678\n", encoding="utf-8")
    before = caybeo("ledger", "--json", "--limit", "1").json

    said = caybeo("import", str(wrong), "--json")

    assert said.code == REFUSED
    assert said.json["error"]["next_step"] if "error" in said.json else said.json["next_step"]
    assert caybeo("ledger", "--json", "--limit", "1").json == before


def test_a_dry_import_changes_nothing(home: Path) -> None:
    set_price(home, "CM001", 58_000)

    said = caybeo("import", str(home / "inbox" / "offers.csv"), "--dry-run", "--json")
    plan = caybeo("plan", "--account", "postmart", "--json").json

    assert said.json["changed"] == 1
    assert plan["plans"][0]["plan_id"] is None


def test_sources_are_listed_and_removed(home: Path) -> None:
    listed = caybeo("sources", "list", "--json").json["sources"]
    removed = caybeo("sources", "remove", "offers.csv", "--json")

    assert [s["name"] for s in listed] == ["ocop_ca_mau.csv", "offers.csv"]
    assert removed.json == {"removed": True}
    assert caybeo("sources", "remove", "offers.csv").code == USAGE
    assert caybeo("sources", "add", "/khong/co.csv").code == REFUSED


# --- what is not there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("timeline", "KHONG-CO"),
        ("preview", "KHONG-CO", "--account", "voso"),
        ("preview", "CM001", "--account", "khong-co"),
        ("nightly", "--account", "khong-co"),
        ("sync", "--account", "khong-co"),
        ("sync", "--sku", "KHONG-CO"),
        ("plan", "--sku", "KHONG-CO"),
        ("reconcile", "--account", "khong-co"),
        ("withdraw", "--sku", "KHONG-CO", "--reason", "x"),
        ("withdraw", "--sku", "CM001"),
        ("apply", "9999"),
        ("approve", "9999"),
        ("plan", "show", "9999"),
        ("sandbox", "show", "khong-co"),
        ("accounts", "check", "khong-co"),
        ("accounts", "remove", "khong-co"),
        ("accounts", "add", "x", "--marketplace", "khong-co"),
        ("db", "restore", "/khong/co.sqlite"),
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_said_and_exits_2(home: Path, words: tuple[str, ...]) -> None:
    before = writes()

    said = caybeo(*words, "--json")

    assert said.code == USAGE
    if words[:2] != ("accounts", "remove"):
        assert said.json["error"]["message"]
    assert writes() == before


def test_an_unknown_option_is_a_usage_error(home: Path) -> None:
    assert caybeo("nightly", "--khong-co").code == USAGE


def test_P15_an_account_in_use_is_busy(home: Path) -> None:
    database = open_home(Settings())
    lease = HeldLease(database, "voso", 600, SystemClock())

    report = caybeo("nightly", "--json")
    status = {a["account"]: a for a in caybeo("status", "--json").json["accounts"]}
    lease.release()

    assert report.code == BUSY
    assert by_account(report)["voso"]["problems"][0]["code"] == "busy"
    assert status["voso"]["lease_holder"]
    assert status["voso"]["lease_until"]
    assert status["postmart"]["lease_holder"] is None
    assert caybeo("nightly").code == DONE


# --- looking ----------------------------------------------------------------------------------------------------------


def test_a_preview_is_the_very_payload_and_sends_nothing(home: Path) -> None:
    before = writes()

    found = caybeo("preview", "CM001", "--account", "postmart", "--json")

    stored = next(one["payload"] for one in shelf("postmart")["listings"] if one["key"] == "CM001")
    assert found.code == DONE
    assert found.json["listable"] is True
    assert found.json["payload"] == stored
    assert writes() == before


def test_amazon_itself_is_asked_what_it_would_say_and_keeps_nothing(home: Path) -> None:
    caybeo("import", str(DATA / "sandbox" / "english.csv"))
    before, held = writes(), shelf("amazon")["listings"]

    found = caybeo("preview", "CM021", "--account", "amazon", "--ask", "--json")
    told = caybeo("preview", "CM021", "--account", "amazon", "--ask")

    assert (found.code, found.json["asked"], found.json["opinion"]) == (DONE, True, None)
    assert "sẽ nhận tin này" in told.out
    assert shelf("amazon")["listings"] == held
    assert {name: count for name, count in writes().items() if count != before[name]} == {}


def test_what_keeps_amazon_from_answering_is_told(home: Path) -> None:
    caybeo("import", str(DATA / "sandbox" / "english.csv"))
    caybeo("sandbox", "fault", "amazon", "--status", "500", "--times", "50")

    found = caybeo("preview", "CM021", "--account", "amazon", "--ask", "--json")

    assert (found.code, found.json["asked"]) == (DOWN, False)
    assert found.json["stopped"][0]["next_step"]


def test_an_account_that_rests_is_not_said_to_take_anything(home: Path) -> None:
    caybeo("import", str(DATA / "sandbox" / "english.csv"))
    added = caybeo(
        "accounts", "add", "nghi", "-m", "amazon", "--base-url", "http://127.0.0.1:1/amazon", "--sandbox",
        "--mode", "dormant", "--stdin", "--no-check", stdin=json.dumps(_simulator("amazon").credentials),
    )  # fmt: skip

    found = caybeo("preview", "CM021", "--account", "nghi", "--ask", "--json")
    told = caybeo("preview", "CM021", "--account", "nghi", "--ask")

    assert (added.code, found.json["listable"], found.json["asked"]) == (DONE, True, False)
    assert found.json["stopped"][0]["next_step"]
    assert "sẽ nhận tin này" not in told.out


def test_status_counts_what_is_live_and_withheld(home: Path) -> None:
    status = caybeo("status", "--json").json

    for account in status["accounts"]:
        assert account["live"] == sum(one["status"] == "live" for one in shelf(account["account"])["listings"])
        assert account["next_due"]
    assert len({account["live"] + account["unlistable"] for account in status["accounts"]}) == 1
    assert status["last_run"]["status"] == "completed"


@pytest.mark.parametrize(("lang", "words"), [("vi", "tin đang bán"), ("en", "listings live")])
def test_both_languages_are_spoken(home: Path, lang: str, words: str) -> None:
    said = caybeo("nightly", "--lang", lang)

    assert said.code == DONE
    assert words in said.out
    assert "SANDBOX" in said.out


def test_another_language_is_refused(home: Path) -> None:
    assert caybeo("status", "--lang", "fr").code == USAGE


def test_the_language_can_be_set_for_good(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAYBEO_LANG", "en")

    assert "listings live" in caybeo("nightly").out


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("ledger",),
        ("ledger", "--sku", "CM001", "--account", "voso"),
        ("quarantine",),
        ("connectors",),
        ("doctor",),
        ("accounts", "list"),
        ("sources", "list"),
        ("sandbox", "show", "voso"),
        ("timeline", "CM001"),
        ("db", "upgrade"),
    ],
    ids=" ".join,
)
def test_every_question_is_answered_to_people_and_to_scripts(home: Path, words: tuple[str, ...]) -> None:
    told, document = caybeo(*words), caybeo(*words, "--json")

    assert (told.code, document.code) == (DONE, DONE)
    assert told.out.strip()
    assert isinstance(document.json, dict)


# --- withdrawing, reading back ----------------------------------------------------------------------------------------


def test_a_withdrawal_and_its_undoing(home: Path) -> None:
    down = caybeo("withdraw", "--sku", "CM001", "--reason", "lô lỗi", "--json")
    gone = [name for name in SHELVES if _live(name, "CM001")]
    up = caybeo("withdraw", "--sku", "CM001", "--reason", "đã kiểm tra", "--undo", "--json")

    assert (down.code, up.code) == (DONE, DONE)
    assert gone == []
    assert all(_live(name, "CM001") for name in SHELVES)
    assert "lô lỗi" in caybeo("timeline", "CM001").out


def _live(name: str, sku: str) -> bool:
    return any(one["key"] == sku and one["status"] == "live" for one in shelf(name)["listings"])


def test_reading_back_an_untouched_stall_finds_nothing(home: Path) -> None:
    before = writes()

    report = caybeo("reconcile", "--json")

    assert report.code == DONE, report.out
    assert writes() == before


def test_a_hand_edit_is_found_and_healed(home: Path) -> None:
    _edit_by_hand("CM001", 99_000)

    told = caybeo("reconcile", "--account", "postmart", "--json")
    healed = caybeo("reconcile", "--account", "postmart", "--heal", "--json")

    found = [p for p in by_account(told)["postmart"]["problems"] if p["code"].startswith("drift")]
    assert told.code == PEOPLE
    assert [(p["key"], p["code"]) for p in found] == [("CM001", "drift-edited")]
    assert healed.code == DONE
    assert next(one["price"] for one in shelf("postmart")["listings"] if one["key"] == "CM001") == 57_000


def _edit_by_hand(sku: str, price: int) -> None:
    state = sandbox_of(Settings(), "postmart").state
    with state.transaction():
        product = state.get("product", sku)
        state.put("product", sku, product | {"price": product["price"] | {"price_vnd": price}})


# --- care -------------------------------------------------------------------------------------------------------------


def test_P20_a_restored_backup_must_be_read_back_first(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.sqlite"
    caybeo("db", "backup", str(backup))
    set_price(home, "CM001", 58_000)
    caybeo("nightly")

    restored = caybeo("db", "restore", str(backup), "--json")
    refused = caybeo("nightly", "--json")
    before = writes()
    caybeo("reconcile")
    after = caybeo("nightly", "--json")

    assert backup.stat().st_mode & 0o077 == 0
    assert restored.code == DONE
    assert refused.code == PEOPLE
    assert by_account(refused)["voso"]["problems"][0]["code"] == "needs-reconcile"
    assert after.code == DONE, after.out
    assert writes() == before
    assert next(one["price"] for one in shelf("voso")["listings"] if one["key"] == "CM001") == 58_000


def test_a_file_that_is_no_backup_is_refused(home: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "anh.sqlite"
    wrong.write_text("không phải cơ sở dữ liệu")

    said = caybeo("db", "restore", str(wrong), "--json")

    assert said.code == USAGE
    assert said.json["error"]["code"] == "database"
    assert caybeo("nightly").code == DONE


def test_the_doctor_finds_a_home_that_others_can_read(home: Path) -> None:
    healthy = caybeo("doctor", "--json")

    assert healthy.code == DONE
    assert all(check["ok"] for check in healthy.json["checks"])
    assert {"database", "schema", "home"} <= {check["name"] for check in healthy.json["checks"]}


def test_P21_a_damaged_database_is_said_in_a_sentence(home: Path) -> None:
    for file in (home / "home").glob("caybeo.sqlite*"):
        file.write_bytes(b"hong" * 1000)

    said = caybeo("status", "--json")

    assert said.code == USAGE
    assert said.json["error"]["code"] == "database"
    assert "db restore" in said.json["error"]["next_step"]


def test_something_unforeseen_is_logged_and_never_thrown_at_people(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for any defect: the catalogue's documents are rubbish."""
    database = open_home(Settings())
    with writing(database) as db:
        db.execute(update(PRODUCT).where(PRODUCT.c.product_id == "CM001").values(snapshot=b"{"))
    database.dispose()

    said = caybeo("preview", "CM001", "--account", "voso", "--json")

    assert said.code == USAGE
    assert said.json["error"]["code"] == "unforeseen"
    assert "Traceback" in (home / "home" / "logs" / "errors.log").read_text()


# --- accounts ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(home: Path) -> Iterator[str]:
    """The marketplaces over real HTTP, as `caybeo sandbox serve` gives them."""
    sandboxes = {name: Sandbox(_simulator(name)) for name in names()}
    server = uvicorn.Server(
        uvicorn.Config(application(sandboxes), host="127.0.0.1", port=(port := free_port()), log_level="critical")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
    for sandbox in sandboxes.values():
        sandbox.state.close()


def _simulator(name: str) -> Any:
    return connector(name).simulator_class()


def test_a_shop_is_connected_checked_filled_and_forgotten(
    served: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ID", "hop-thu-cat")
    monkeypatch.setenv("SECRET", "khoa-hop-cat-khong-bi-mat")
    credentials = ("--env", "client_id=ID", "--env", "client_secret=SECRET")

    added = caybeo(
        "accounts", "add", "gian-hang", "-m", "postmart", "--base-url", f"{served}/postmart", *credentials, "--json"
    )
    listed = caybeo("accounts", "list", "--json")
    checked = caybeo("accounts", "check", "gian-hang", "--json")
    run = caybeo("nightly", "--account", "gian-hang", "--json")
    removed = caybeo("accounts", "remove", "gian-hang", "--json")

    assert (added.code, added.json["mode"], added.json["ok"]) == (DONE, "api", True)
    assert [a["account"] for a in listed.json["accounts"]] == sorted({*names(), "gian-hang"} - {"postmart"})
    assert (checked.code, checked.json["ok"]) == (DONE, True)
    assert run.code == DONE, run.out
    assert run.json["accounts"][0]["counts"]["created"] > 80
    assert removed.json == {"removed": True}
    secret = "khoa-hop-cat-khong-bi-mat"
    assert all(secret not in said.out + said.err for said in (added, listed, checked, run, removed))
    assert secret.encode() not in (home / "home" / "caybeo.sqlite").read_bytes()


def test_wrong_credentials_exit_6(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ID", "hop-thu-cat")
    monkeypatch.setenv("SECRET", "sai")
    credentials = ("--env", "client_id=ID", "--env", "client_secret=SECRET")
    added = caybeo("accounts", "add", "sai", "-m", "postmart", "--base-url", f"{served}/postmart", *credentials)

    checked = caybeo("accounts", "check", "sai", "--json")
    run = caybeo("nightly", "--account", "sai", "--json")

    assert added.code == AUTHORISE
    assert "accounts add" in added.out
    assert (checked.code, checked.json["ok"]) == (AUTHORISE, False)
    assert checked.json["problems"][0]["next_step"]
    assert run.code == AUTHORISE


def test_a_dead_address_exits_7(home: Path) -> None:
    secrets = json.dumps({"client_id": "a", "client_secret": "b"})
    base = f"http://127.0.0.1:{free_port()}/postmart"
    added = caybeo("accounts", "add", "xa", "-m", "postmart", "--base-url", base, "--stdin", "--json", stdin=secrets)

    assert (added.code, added.json["ok"]) == (DONE, False)
    assert caybeo("accounts", "check", "xa", "--json").code == DOWN


def test_plain_http_to_the_world_is_refused(home: Path) -> None:
    secrets = json.dumps({"client_id": "a", "client_secret": "b"})
    caybeo("accounts", "add", "xa", "-m", "postmart", "--base-url", "http://example.vn/api", "--stdin", stdin=secrets)

    said = caybeo("nightly", "--account", "xa", "--json")

    assert said.code == USAGE
    assert said.json["accounts"][0]["problems"] if "accounts" in said.json else said.json["error"]


def test_a_real_voso_account_starts_dormant_and_says_why(home: Path) -> None:
    secrets = json.dumps({"username": "a", "password": "b"})

    added = caybeo(
        "accounts", "add", "shop", "-m", "voso", "--base-url", "https://api.voso.vn", "--stdin", "--json", stdin=secrets
    )
    run = caybeo("nightly", "--account", "shop", "--json")

    assert added.json["mode"] == "dormant"
    assert "2023" in added.json["note"]
    assert run.code == DONE
    assert run.json["accounts"][0]["mode"] == "dormant"
    assert run.json["accounts"][0]["requests"] == 0


def test_made_up_prices_never_reach_a_real_shop(home: Path) -> None:
    """https beyond this machine is a live account: nothing of the shipped offers may be shown there."""
    secrets = json.dumps({"client_id": "a", "client_secret": "b"})
    caybeo(
        "accounts", "add", "that", "-m", "postmart", "--base-url", "https://ban.example.vn", "--stdin", "--no-check",
        stdin=secrets,
    )  # fmt: skip

    found = caybeo("preview", "CM001", "--account", "that", "--json")

    assert (found.code, found.json["mode"], found.json["listable"]) == (PEOPLE, "live", False)
    assert "illustrative-price" in [p["code"] for p in found.json["problems"]]
