"""`accounts policy`, `reconcile` and `audit` as people and scripts meet them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import update
from typer.testing import CliRunner

from connectors.registry import names
from flows.accounts import accounts, add, sandbox_of
from flows.cli import app
from flows.settings import Settings
from flows.wiring import open_home
from models.clock import SystemClock
from models.database import writing
from models.report import DONE, PEOPLE, USAGE
from models.tables import AccountRow, core
from models.timetable import STATE

ROOT = Path(__file__).parents[2]
SKU = "CM001"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "home"))
    return Settings()


@pytest.fixture
def caybeo(settings: Settings) -> Callable[..., Result]:
    def run(*words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    return run


@pytest.fixture
def listed(caybeo: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    """One product, on sale everywhere."""
    for source in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        file = tmp_path / Path(source).name
        file.write_text("".join((ROOT / "data" / source).read_text("utf-8").splitlines(keepends=True)[:2]), "utf-8")
        assert caybeo("import", str(file), "--json").exit_code == DONE
    assert caybeo("nightly", "--json").exit_code == DONE
    return caybeo


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def edit(settings: Settings, price: int) -> None:
    state = sandbox_of(settings, "postmart").state
    with state.transaction():
        product = state.get("product", SKU)
        state.put("product", SKU, product | {"price": product["price"] | {"price_vnd": price}})


def shown(settings: Settings) -> int:
    return int(sandbox_of(settings, "postmart").state.get("product", SKU)["price"]["price_vnd"])


def test_a_policy_is_set_part_by_part_and_shown(settings: Settings, caybeo: Callable[..., Result]) -> None:
    first = caybeo("accounts", "policy", "postmart", "--drift", "price=heal", "--drift", "stock=ignore", "--json")
    second = caybeo("accounts", "policy", "postmart", "--drift", "price=adopt", "--deleted", "leave", "--json")

    assert (first.exit_code, second.exit_code) == (DONE, DONE)
    assert document(first) == {"account": "postmart", "drift": {"price": "heal", "stock": "ignore"}, "deleted": "ask"}
    assert document(second)["drift"] == {"price": "adopt", "stock": "ignore"}
    (listed,) = [a for a in document(caybeo("accounts", "list", "--json"))["accounts"] if a["account"] == "postmart"]
    assert (listed["policy"]["drift"]["price"], listed["policy"]["deleted"]) == ("adopt", "leave")
    assert "giá: giữ bản trên sàn; tồn kho: bỏ qua; bị xóa: để vậy" in caybeo("accounts", "policy", "postmart").stdout
    assert "price: let theirs stay" in caybeo("accounts", "list", "--lang", "en").stdout


@pytest.mark.parametrize(
    "words",
    [("--drift", "price=maybe"), ("--drift", "colour=heal"), ("--drift", "price"), ("--deleted", "never")],
    ids=" ".join,
)
def test_a_rule_that_does_not_exist_is_refused(caybeo: Callable[..., Result], words: tuple[str, str]) -> None:
    refused = caybeo("accounts", "policy", "postmart", *words)

    assert refused.exit_code == USAGE
    assert "--drift price=heal" in refused.stdout
    assert document(caybeo("accounts", "policy", "postmart", "--json"))["drift"] == {}


def test_the_policy_of_an_unknown_account_is_refused(caybeo: Callable[..., Result]) -> None:
    refused = caybeo("accounts", "policy", "khong-co", "--drift", "price=heal", "--json")

    assert refused.exit_code == USAGE
    assert document(refused)["error"]["code"] == "unknown"


def test_entering_credentials_again_keeps_the_policy_and_the_duty_to_read_back(settings: Settings, caybeo) -> None:
    """After a restore without the key they must be entered again: that alone proves nothing."""
    database = open_home(settings)
    secrets = {"username": "htx", "password": "x"}
    how = {"base_url": "https://api.voso.example", "sandbox": False, "age_gate": False, "mode": "api"}
    add(settings, database, SystemClock(), "htx", "voso", secrets, **how)
    caybeo("accounts", "policy", "htx", "--drift", "price=heal", "--deleted", "recreate")
    with writing(database) as db:
        db.execute(update(core(AccountRow)).values(needs_reconcile=True))

    row = add(settings, database, SystemClock(), "htx", "voso", secrets, **how)

    assert row.needs_reconcile
    policy = next(a.policy for a in accounts(settings, database) if a.name == "htx")
    assert (policy.drift, policy.deleted) == ({"price": "heal"}, "recreate")
    database.dispose()


def test_the_settled_policy_heals_and_the_report_says_what(settings: Settings, listed: Callable[..., Result]) -> None:
    before = shown(settings)
    edit(settings, before - 1_000)
    told = listed("reconcile", "--account", "postmart", "--json")
    listed("accounts", "policy", "postmart", "--drift", "price=heal")

    healed = listed("reconcile", "--account", "postmart")

    (found,) = [p for p in document(told)["accounts"][0]["problems"] if p["code"] == "drift-edited"]
    assert told.exit_code == PEOPLE
    assert (found["fields"][0]["ours"], found["fields"][0]["theirs"]) == (before, before - 1_000)
    assert "bên mình" in found["message"]
    assert healed.exit_code == DONE
    assert "bên mình" in healed.stdout
    assert shown(settings) == before
    assert "bên mình" in listed("timeline", SKU).stdout


def test_an_audit_of_a_healthy_home_finds_nothing(listed: Callable[..., Result]) -> None:
    told, scripts = listed("audit"), listed("audit", "--json")

    assert (told.exit_code, scripts.exit_code) == (DONE, DONE)
    assert "không bỏ sót gì" in told.stdout
    assert document(scripts)["findings"] == []
    assert {part["account"]: part["checked"] for part in document(scripts)["accounts"]} == dict.fromkeys(names(), 1)


def test_an_audit_names_what_was_forgotten_and_exits_1(settings: Settings, listed: Callable[..., Result]) -> None:
    database = open_home(settings)
    with writing(database) as db:
        db.execute(update(STATE).where(STATE.c.account == "voso").values(baseline={}, due_at=None))
    database.dispose()

    told, scripts = listed("audit"), listed("audit", "--account", "voso", "--json")

    assert (told.exit_code, scripts.exit_code) == (PEOPLE, PEOPLE)
    (finding,) = document(scripts)["findings"]
    assert (finding["account"], finding["key"], finding["code"]) == ("voso", SKU, "not-due")
    assert f"voso {SKU}" in told.stdout
    assert "caybeo sync --account voso" in told.stdout


def test_an_audit_of_an_unknown_account_is_refused(caybeo: Callable[..., Result]) -> None:
    assert caybeo("audit", "--account", "khong-co", "--json").exit_code == USAGE
