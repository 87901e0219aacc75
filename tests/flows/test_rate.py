"""`accounts rate`: what a foreign currency is worth, and that a slip of the finger changes no price."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.accounts import add
from flows.cli import app
from flows.settings import Settings
from flows.wiring import open_home
from models.clock import SystemClock
from models.report import DONE, USAGE

ROOT = Path(__file__).parents[2]
SKU = "CM001"
Run = Callable[..., Result]


@pytest.fixture
def caybeo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "home"))

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    return run


@pytest.fixture
def abroad(caybeo: Run, tmp_path: Path) -> Run:
    """One product with an English text, on sale on Alibaba.com."""
    for source in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv", "sandbox/english.csv"):
        file = tmp_path / Path(source).name
        file.write_text("".join((ROOT / "data" / source).read_text("utf-8").splitlines(keepends=True)[:2]), "utf-8")
        assert caybeo("import", str(file), "--json").exit_code == DONE
    assert caybeo("nightly", "--account", "alibaba", "--json").exit_code == DONE
    return caybeo


def shown(caybeo: Run) -> Any:
    (listing,) = json.loads(caybeo("sandbox", "show", "alibaba", "--json").stdout)["listings"]
    return float(listing["price"]), listing["currency"]


def test_a_sandbox_abroad_sells_at_a_sample_rate(abroad: Run) -> None:
    assert shown(abroad) == (2.20, "USD")  # 57,000 at 26,000, rounded up to a cent
    assert "2,20 USD" in abroad("sandbox", "show", "alibaba").stdout


@pytest.mark.parametrize("said", ["25000", "25.000", "25 000", "25.000,00"])
def test_a_new_rate_moves_every_price_of_that_shop(abroad: Run, said: str) -> None:
    told = abroad("accounts", "rate", "alibaba", "--currency", "usd", "--rate", said)
    night = abroad("nightly", "--account", "alibaba", "--json")

    assert (told.exit_code, night.exit_code) == (DONE, DONE)
    assert "1 USD = 25.000" in told.stdout
    assert shown(abroad) == (2.28, "USD")


@pytest.mark.parametrize("said", ["2500", "260000", "0", "-5", "x", "1e9", "NaN", "26,000"])
def test_a_slip_of_the_finger_changes_nothing(abroad: Run, said: str) -> None:
    told = abroad("accounts", "rate", "alibaba", "--currency", "USD", f"--rate={said}")

    assert told.exit_code == USAGE
    assert "Traceback" not in told.output
    abroad("nightly", "--account", "alibaba", "--json")
    assert shown(abroad) == (2.20, "USD")


def test_who_is_sure_may_set_any_rate(abroad: Run) -> None:
    assert abroad("accounts", "rate", "alibaba", "--currency", "USD", "--rate", "50000", "--sure").exit_code == DONE


@pytest.mark.parametrize(("name", "currency"), [("alibaba", "EUR"), ("alibaba", "VND"), ("lazada", "USD")])
def test_a_currency_that_is_not_taken_there_is_refused(caybeo: Run, name: str, currency: str) -> None:
    told = caybeo("accounts", "rate", name, "--currency", currency, "--rate", "26000")

    assert told.exit_code == USAGE
    assert "không bán bằng" in told.output


def test_the_rate_of_an_unknown_account_is_refused(caybeo: Run) -> None:
    assert caybeo("accounts", "rate", "khong-co", "--currency", "USD", "--rate", "26000").exit_code == USAGE


def test_a_real_shop_abroad_shows_nothing_before_a_rate_is_set(caybeo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    database, settings = open_home(Settings()), Settings()
    secrets = {"app_key": "1", "app_secret": "x", "access_token": "y", "account_id": "z"}
    add(settings, database, SystemClock(), "that", "alibaba", secrets,
        base_url="", sandbox=False, age_gate=False, mode="api")  # fmt: skip
    database.dispose()

    listed = json.loads(caybeo("accounts", "list", "--json").stdout)["accounts"]
    (policy,) = [account["policy"] for account in listed if account["account"] == "that"]

    assert (policy["currency"], policy["rate"]) == ("USD", None)
    assert caybeo("accounts", "rate", "that", "--currency", "USD", "--rate", "26.000").exit_code == DONE
    add(settings, open_home(settings), SystemClock(), "that", "alibaba", secrets,
        base_url="", sandbox=False, age_gate=False, mode="api")  # fmt: skip
    listed = json.loads(caybeo("accounts", "list", "--json").stdout)["accounts"]
    (policy,) = [account["policy"] for account in listed if account["account"] == "that"]
    assert float(policy["rate"]) == 26_000  # entering credentials again keeps it
