"""A home put together: who may read it, which accounts run, how it is looked after, and how it speaks."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import Result
from cryptography.fernet import Fernet
from pydantic import ValidationError
from sqlalchemy import select, update
from typer.testing import CliRunner

from connectors.registry import names
from flows.accounts import AccountRefused, accounts, add, remove
from flows.care import backup, examine, mark_restored, restore
from flows.cli import app
from flows.settings import Settings
from flows.wiring import context_of, open_home
from models.database import DatabaseBroken, reading, writing
from models.report import DONE, PEOPLE, REFUSED, USAGE
from models.tables import AccountRow, Credential, core
from models.timetable import STATE
from tests.scenarios.world import HandClock

CANARY = "canary-7f3a-bí-mật"
ACCOUNT, CREDENTIAL = core(AccountRow), core(Credential)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch) -> Settings:
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "home"))
    return Settings()


@pytest.fixture
def caybeo(settings: Settings) -> Callable[..., Result]:
    """The command line in this process, with stdout and stderr told apart."""

    def run(*words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, list(words), input=stdin)

    return run


@pytest.fixture
def shop(settings: Settings, clock: HandClock) -> Callable[..., Any]:
    """Adds an account of Vỏ Sò whose password is the canary."""
    database = open_home(settings, clock)

    def made(name: str = "hop-tac-xa", **changes: Any) -> Any:
        options = {"base_url": "https://api.voso.example", "sandbox": False, "age_gate": False, "mode": "api"}
        credentials = {"username": "htx", "password": CANARY}
        return add(settings, database, clock, name, "voso", credentials, **options | changes)

    return made


def _said(result: Result) -> Any:
    """The one JSON document on stdout."""
    return json.loads(result.stdout)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- settings and the home --------------------------------------------------------------------------------------------


def test_the_home_is_for_its_owner_alone(settings: Settings, shop, caybeo) -> None:
    shop()
    caybeo("nightly", "--json")
    caybeo("db", "backup", str(settings.place / "copy.sqlite"))

    modes = {path: _mode(path) for path in [settings.place, *settings.place.rglob("*")]}

    assert {oct(mode) for path, mode in modes.items() if path.is_dir()} == {"0o700"}
    assert {oct(mode) for path, mode in modes.items() if path.is_file()} == {"0o600"}
    assert {"caybeo.sqlite", "secret.key", "copy.sqlite"} <= {path.name for path in modes}


def test_a_home_open_to_others_is_closed_on_first_use(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)

    assert _mode(Settings(home=home).place) == 0o700


def test_settings_come_from_the_environment(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path))
    monkeypatch.setenv("CAYBEO_LANG", "en")
    monkeypatch.setenv("CAYBEO_LEASE_SECONDS", "90")
    monkeypatch.setenv("CAYBEO_CONNECTORS", "shopee, tiki ,")

    settings = Settings()

    assert (settings.lang, settings.lease_seconds, settings.allowed) == ("en", 90.0, ("shopee", "tiki"))
    assert settings.url == f"sqlite:///{tmp_path}/caybeo.sqlite"


@pytest.mark.parametrize(
    ("name", "value"),
    [("LANG", "fr"), ("LEASE_SECONDS", "1"), ("LEASE_SECONDS", "soon"), ("LOG_LEVEL", "loud")],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(monkeypatch, caybeo, name, value) -> None:
    monkeypatch.setenv(f"CAYBEO_{name}", value)

    with pytest.raises(ValidationError):
        Settings()
    told = caybeo("status")

    assert told.exit_code == USAGE
    assert name.lower() in told.stderr
    assert "Traceback" not in told.output


def test_a_database_address_never_shows_its_password(monkeypatch) -> None:
    monkeypatch.setenv("CAYBEO_DATABASE_URL", "postgresql+psycopg://caybeo:canary-7f3a@db/caybeo")
    settings = Settings()

    assert "canary" not in repr(settings)
    assert "canary" in settings.url


def test_P21_a_damaged_database_is_not_opened(settings: Settings, caybeo) -> None:
    """And the sentence names the way back."""
    (settings.place / "caybeo.sqlite").write_bytes(b"no database " * 500)

    with pytest.raises(DatabaseBroken):
        open_home(settings)
    told = caybeo("status", "--json")

    assert told.exit_code == USAGE
    assert "caybeo db restore" in _said(told)["error"]["next_step"]


def test_the_context_runs_the_accounts_of_the_home(settings: Settings, clock) -> None:
    context = context_of(settings, open_home(settings, clock))

    assert {account.name for account in context.accounts()} == set(names())
    assert context.home == settings.place
    assert context.lease_seconds == settings.lease_seconds


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_every_marketplace_begins_with_a_sandbox_account(settings: Settings, clock) -> None:
    database = open_home(settings, clock)

    found = accounts(settings, database)

    assert [a.name for a in found] == sorted(names())
    assert all(a.sandbox and a.policy.sandbox and a.shown_mode == "sandbox" and a.transport for a in found)


def test_opening_a_home_again_adds_nothing(settings: Settings, clock) -> None:
    database = open_home(settings, clock)
    with reading(database) as db:
        before = db.execute(select(ACCOUNT)).fetchall()
    clock.advance(days=1)

    open_home(settings, clock)

    with reading(database) as db:
        assert db.execute(select(ACCOUNT)).fetchall() == before


def test_a_sandbox_account_steps_back_for_a_shop_and_returns_when_it_goes(settings: Settings, clock, shop) -> None:
    shop()
    database = open_home(settings, clock)
    with_shop = {a.name: a.shown_mode for a in accounts(settings, database)}

    assert remove(database, clock, "hop-tac-xa")

    assert with_shop == {"hop-tac-xa": "live", "madeincamau": "sandbox", "postmart": "sandbox"} | {
        n: "sandbox" for n in names() if n != "voso"
    }
    assert {a.name for a in accounts(settings, database)} == set(names())
    assert not remove(database, clock, "hop-tac-xa")


@pytest.mark.parametrize("address", ["http://127.0.0.1:8800/voso", "http://localhost:8800/voso", "http://[::1]:8800"])
def test_a_shop_on_this_machine_is_a_trial(settings: Settings, clock, shop, address) -> None:
    """`sandbox serve` answers there: made-up prices may be sent to it, and nowhere else."""
    shop(base_url=address, mode="")

    account = next(a for a in accounts(settings, open_home(settings, clock)) if a.name == "hop-tac-xa")

    assert (account.sandbox, account.policy.sandbox, account.mode) == (True, True, "api")
    assert account.transport is None


def test_a_real_shop_is_no_trial(settings: Settings, clock, shop) -> None:
    shop()

    account = next(a for a in accounts(settings, open_home(settings, clock)) if a.name == "hop-tac-xa")

    assert (account.sandbox, account.policy.sandbox, account.transport) == (False, False, None)


def test_a_marketplace_that_seems_closed_starts_dormant(settings: Settings, clock, shop, caybeo, tmp_path) -> None:
    """Vỏ Sò: nothing is due, nothing is sent, and the run says why."""
    _import(caybeo, tmp_path)
    row = shop(mode="")

    (part,) = _said(caybeo("nightly", "--account", "hop-tac-xa", "--json", "--lang", "en"))["accounts"]

    assert row.mode == part["mode"] == "dormant"
    assert part["requests"] == 0
    assert "Ask Viettel Post" in part["problems"][0]["message"]
    with reading(open_home(settings, clock)) as db:
        where = (STATE.c.account == "hop-tac-xa", STATE.c.due_at.is_not(None))
        assert db.execute(select(STATE.c.sku).where(*where)).fetchall() == []


def test_a_shop_without_an_address_is_refused(shop) -> None:
    with pytest.raises(AccountRefused) as refused:
        shop(base_url="")

    assert "--base-url" in refused.value.next_step.vi


def test_a_shop_on_an_unknown_marketplace_is_refused(settings: Settings, clock) -> None:
    options = {"base_url": "https://x.example", "sandbox": False, "age_gate": False, "mode": ""}

    with pytest.raises(AccountRefused, match="shopee"):
        add(settings, open_home(settings, clock), clock, "a", "shopee", {}, **options)


def test_alcohol_needs_both_an_age_gate_and_cashless_payment(settings: Settings, clock, shop) -> None:
    shop(age_gate=True)

    account = next(a for a in accounts(settings, open_home(settings, clock)) if a.name == "hop-tac-xa")

    assert account.policy.age_gate
    assert account.policy.cashless_only


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_lies_nowhere_in_clear(settings: Settings, shop, caybeo) -> None:
    """S01, X02: neither in the database and its journal, nor in logs, backups or answers."""
    shop()
    outputs = [
        caybeo(*words).output
        for words in (("accounts", "list"), ("accounts", "list", "--json"), ("status", "--json"), ("doctor", "--json"))
    ]
    caybeo("db", "backup", str(settings.place / "copy.sqlite"))

    files = {path: path.read_bytes() for path in settings.place.rglob("*") if path.is_file()}

    assert any(path.name == "caybeo.sqlite" for path in files)
    for form in _forms(CANARY):
        assert [path.name for path, content in files.items() if form in content] == []
        assert not any(form.decode("latin-1") in output.encode().decode("latin-1") for output in outputs)


def test_the_account_gets_its_secret_back_and_hides_it(settings: Settings, clock, shop) -> None:
    shop()

    account = next(a for a in accounts(settings, open_home(settings, clock)) if a.name == "hop-tac-xa")

    assert account.credentials.password.get_secret_value() == CANARY
    assert CANARY not in repr(account)


def test_a_new_key_opens_what_the_old_one_closed(settings: Settings, clock, shop, monkeypatch) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("CAYBEO_KEY", old)
    before = Settings()
    database = open_home(before, clock)
    options = {"base_url": "https://x.example", "sandbox": False, "age_gate": False, "mode": "api"}
    add(before, database, clock, "first", "voso", {"username": "a", "password": CANARY}, **options)

    monkeypatch.setenv("CAYBEO_KEY", f"{new}, {old}")
    rotated = Settings()
    add(rotated, database, clock, "second", "voso", {"username": "b", "password": CANARY}, **options)

    assert {a.name for a in accounts(rotated, database)} >= {"first", "second"}
    assert Fernet(new).decrypt(_closed(database, "second"))
    assert Fernet(old).decrypt(_closed(database, "first"))


def test_without_the_right_key_the_account_is_named_and_the_way_out(shop, caybeo, monkeypatch) -> None:
    shop()
    monkeypatch.setenv("CAYBEO_KEY", Fernet.generate_key().decode())

    told = caybeo("accounts", "list", "--lang", "en")

    assert told.exit_code == USAGE
    assert "The credentials of hop-tac-xa cannot be opened." in told.stdout
    assert "CAYBEO_KEY" in told.stdout
    assert "Traceback" not in told.output


def test_the_key_lies_beside_the_database_file_and_never_in_it(settings: Settings, shop) -> None:
    shop()
    key = (settings.place / "secret.key").read_bytes()

    assert Fernet(key)
    assert key not in (settings.place / "caybeo.sqlite").read_bytes()


def test_secrets_come_from_named_variables_or_stdin(settings: Settings, clock, caybeo, monkeypatch) -> None:
    """Never from the command line itself: every user of the machine could read it there."""
    monkeypatch.setenv("SHOP_PASSWORD", CANARY)
    monkeypatch.setenv("SHOP_USER", "htx")
    address = ("--base-url", "https://api.voso.example", "--marketplace", "voso", "--mode", "api", "--no-check")

    first = caybeo("accounts", "add", "a", *address, "--env", "username=SHOP_USER", "--env", "password=SHOP_PASSWORD")
    second = caybeo(
        "accounts", "add", "b", *address, "--stdin", stdin=json.dumps({"username": "htx", "password": CANARY})
    )

    assert (first.exit_code, second.exit_code) == (DONE, DONE)
    found = {a.name: a.credentials for a in accounts(settings, open_home(settings, clock))}
    assert {found[n].password.get_secret_value() for n in "ab"} == {CANARY}
    assert CANARY not in first.output + second.output


def test_what_is_not_given_is_asked_for_and_what_is_not_required_may_be_skipped(settings, clock, caybeo) -> None:
    typed = "\n".join(("1001", CANARY, "a-token", "", ""))
    ended = caybeo("accounts", "add", "a", "--marketplace", "lazada", "--no-check", stdin=typed)
    again = caybeo("accounts", "add", "b", "--marketplace", "lazada", "--no-check",
                   stdin=typed.replace("a-token\n", f"a-token\n{CANARY}"))  # fmt: skip

    assert (ended.exit_code, again.exit_code) == (DONE, DONE)
    found = {a.name: a.credentials for a in accounts(settings, open_home(settings, clock)) if a.name in "ab"}
    assert found["a"].refresh_token is None
    assert found["b"].refresh_token.get_secret_value() == CANARY
    assert "refresh_token (Enter: bỏ qua / skip)" in ended.output
    assert CANARY not in ended.output + again.output


# --- care -------------------------------------------------------------------------------------------------------------


def test_a_healthy_home_passes_every_check(settings: Settings, clock) -> None:
    findings = {f["name"]: f for f in examine(settings, open_home(settings, clock))}

    assert all(finding["ok"] for finding in findings.values())
    assert {"home", "database", "schema", "connectors", "accounts"} <= set(findings)


def test_a_home_open_to_others_is_told(settings: Settings, clock, caybeo) -> None:
    database = open_home(settings, clock)
    settings.place.chmod(0o755)

    finding = next(f for f in examine(settings, database) if f["name"] == "home")

    assert not finding["ok"]
    assert "755" in finding["message"]


def test_an_older_schema_is_told_with_the_command_that_helps(settings: Settings, clock) -> None:
    database = open_home(settings, clock)
    with writing(database) as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")

    finding = next(f for f in examine(settings, database) if f["name"] == "schema")

    assert not finding["ok"]
    assert "caybeo db upgrade" in finding["message"]


def test_one_failed_check_does_not_hide_the_others(settings: Settings, clock, shop, monkeypatch) -> None:
    shop()
    monkeypatch.setenv("CAYBEO_KEY", Fernet.generate_key().decode())

    findings = {f["name"]: f["ok"] for f in examine(Settings(), open_home(settings, clock))}

    assert [name for name, ok in findings.items() if not ok] == ["accounts"]


def test_P20_a_restored_backup_must_be_read_back_before_anything_is_sent(settings: Settings, caybeo, tmp_path) -> None:
    """A backup has forgotten every send that came after it."""
    _import(caybeo, tmp_path)
    copy = tmp_path / "copy.sqlite"
    night = ("nightly", "--account", "postmart", "--json")
    caybeo(*night)
    assert caybeo("db", "backup", str(copy)).exit_code == DONE

    assert caybeo("db", "restore", str(copy)).exit_code == DONE
    refused = caybeo(*night)
    read_back = caybeo("reconcile", "--account", "postmart", "--json")
    after = caybeo(*night)

    assert refused.exit_code == PEOPLE
    assert {p["code"] for a in _said(refused)["accounts"] for p in a["problems"]} == {"needs-reconcile"}
    assert all(a["requests"] == 0 for a in _said(refused)["accounts"])
    assert read_back.exit_code == DONE
    assert after.exit_code == DONE


def test_P20_removing_and_adding_a_restored_account_does_not_make_it_writable(settings, clock, shop) -> None:
    """Neither does removing it before the restore: the shop there has seen sends that these records have forgotten."""
    database = open_home(settings, clock)
    shop("first")
    shop("second")
    remove(database, clock, "first")
    mark_restored(database)
    remove(database, clock, "second")

    shop("first")
    shop("second")

    with reading(database) as db:
        rows = db.execute(select(ACCOUNT.c.name, ACCOUNT.c.needs_reconcile).where(ACCOUNT.c.marketplace == "voso"))
        assert {tuple(row) for row in rows} >= {("first", True), ("second", True)}


def test_P20_an_account_that_the_backup_did_not_hold_is_read_back_first_too(settings, clock, caybeo, tmp_path) -> None:
    open_home(settings, clock)
    backup(settings, tmp_path / "copy.sqlite")
    secrets = json.dumps({"username": "htx", "password": CANARY})
    late = ("accounts", "add", "late", "--marketplace", "voso", "--base-url", "https://api.voso.example", "--stdin")
    caybeo(*late, stdin=secrets)
    restore(settings, tmp_path / "copy.sqlite")

    assert caybeo(*late, stdin=secrets).exit_code == DONE

    with reading(open_home(settings, clock)) as db:
        assert db.execute(select(ACCOUNT.c.needs_reconcile).where(ACCOUNT.c.name == "late")).scalar()


def test_a_backup_holds_what_was_there_and_not_what_came_later(settings: Settings, clock, tmp_path) -> None:
    database = open_home(settings, clock)
    backup(settings, tmp_path / "copy.sqlite")
    with writing(database) as db:
        db.execute(update(ACCOUNT).values(seller="later"))

    restore(settings, tmp_path / "copy.sqlite")

    with reading(open_home(settings, clock)) as db:
        rows = db.execute(select(ACCOUNT.c.seller, ACCOUNT.c.needs_reconcile)).fetchall()
    assert {tuple(row) for row in rows} == {("", True)}


@pytest.mark.parametrize("content", [b"no database " * 500, b""], ids=["rubbish", "empty"])
def test_what_is_no_backup_of_ours_replaces_nothing(settings: Settings, clock, tmp_path, caybeo, content) -> None:
    open_home(settings, clock)
    file = tmp_path / "copy.sqlite"
    file.write_bytes(content)

    told = caybeo("db", "restore", str(file))

    assert told.exit_code == USAGE
    assert {a.name for a in accounts(settings, open_home(settings, clock))} == set(names())


def test_a_backup_that_is_not_there_is_said_to_be_missing(caybeo) -> None:
    told = caybeo("db", "restore", "nowhere.sqlite", "--lang", "en")

    assert told.exit_code == USAGE
    assert "There is no file nowhere.sqlite." in told.stdout


def test_an_emptied_sandbox_is_filled_again_by_the_next_run(caybeo, tmp_path) -> None:
    def shown() -> list[str]:
        caybeo("nightly", "--account", "postmart", "--json")
        return [one["key"] for one in _said(caybeo("sandbox", "show", "postmart", "--json"))["listings"]]

    _import(caybeo, tmp_path)
    before = shown()

    told = _said(caybeo("sandbox", "reset", "postmart", "--json"))
    emptied = _said(caybeo("sandbox", "show", "postmart", "--json"))["listings"]

    assert told["accounts"] == ["postmart"]
    assert emptied == []
    assert shown() == before == ["CM001"]


# --- speaking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("accounts", "list"),
        ("connectors",),
        ("doctor",),
        ("nightly",),
        ("plan",),
        ("ledger",),
        ("quarantine",),
        ("oddities",),
        ("sources", "list"),
        ("sandbox", "show", "voso"),
        ("timeline", "nothing"),
        ("accounts", "remove", "nobody"),
    ],
    ids=" ".join,
)
def test_json_is_one_document_and_nothing_else(caybeo, words) -> None:
    told = caybeo(*words, "--json")

    assert isinstance(_said(told), dict)


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [("vi", "Không có mã SKU “X” trong danh mục."), ("en", "There is no SKU “X” in the catalogue.")],
)
def test_each_language_is_spoken_on_screen_and_in_json(caybeo, lang, sentence) -> None:
    screen, document = caybeo("timeline", "X", "--lang", lang), caybeo("timeline", "X", "--lang", lang, "--json")

    assert sentence in screen.stdout
    assert _said(document)["error"]["message"] == sentence
    assert screen.exit_code == document.exit_code == USAGE


def test_vietnamese_is_spoken_unless_asked_otherwise(caybeo, monkeypatch) -> None:
    assert "Không có mã" in caybeo("timeline", "X").stdout

    monkeypatch.setenv("CAYBEO_LANG", "en")

    assert "There is no SKU" in caybeo("timeline", "X").stdout


def test_an_unknown_language_is_refused(caybeo) -> None:
    told = caybeo("status", "--lang", "fr")

    assert told.exit_code == USAGE
    assert "lang" in told.stderr
    assert told.stdout == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nightly", "--account", "nobody"), "There is no account “nobody”."),
        (("withdraw", "--sku", "X", "--reason", "recall"), "There is no SKU “X” in the catalogue."),
        (("sandbox", "show", "shopee"), "There is no marketplace “shopee”."),
        (("apply", "99"), "There is no plan 99."),
        (("withdraw",), "--sku and --reason are needed."),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_wrong_name_gets_a_sentence_and_code_2(caybeo, words, sentence) -> None:
    told = caybeo(*words, "--lang", "en", "--json")

    assert told.exit_code == USAGE
    assert _said(told)["error"]["message"] == sentence
    assert told.stderr == ""


def test_a_refused_import_has_code_3(caybeo, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")

    assert caybeo("import", str(empty), "--json").exit_code == REFUSED


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["screen", "json"])
def test_an_unforeseen_error_gives_a_sentence_and_a_file_for_the_engineer(settings: Settings, caybeo, flags) -> None:
    """S11: no traceback reaches an operator, and none is lost."""
    sandbox = settings.place / "sandbox"
    sandbox.mkdir()
    (sandbox / "voso.sqlite").write_bytes(b"no database " * 500)

    told = caybeo("sandbox", "show", "voso", "--lang", "en", *flags)

    log = settings.place / "logs" / "errors.log"
    assert told.exit_code == USAGE
    assert "Something unforeseen went wrong (DatabaseError)." in told.stdout
    assert str(log) in told.stdout.replace("\n", "")
    assert "Traceback" not in told.output
    assert 'File "' not in told.output
    assert "Traceback" in log.read_text()
    assert _mode(log) == 0o600


def test_what_is_logged_goes_to_stderr(settings: Settings) -> None:
    """A script that reads stdout must find one document there, at every log level."""
    env = {**os.environ, "CAYBEO_LOG_LEVEL": "DEBUG", "PYTHONUTF8": "1"}
    words = [sys.executable, "-m", "flows.cli", "nightly", "--account", "postmart", "--json"]

    told = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=True)

    assert json.loads(told.stdout)["status"] == "completed"
    assert " DEBUG " in told.stderr


def _import(caybeo: Callable[..., Result], folder: Path) -> None:
    """The first product of the shipped catalogue, with its made-up price."""
    for source in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv"):
        file = folder / Path(source).name
        file.write_text("".join((ROOT / "data" / source).read_text("utf-8").splitlines(keepends=True)[:2]), "utf-8")
        assert caybeo("import", str(file), "--json").exit_code == DONE


def _closed(database: Any, name: str) -> bytes:
    with reading(database) as db:
        return bytes(db.execute(select(CREDENTIAL.c.ciphertext).where(CREDENTIAL.c.account == name)).scalar_one())


def _forms(secret: str) -> list[bytes]:
    """The ways in which a secret may lie somewhere: raw, URL-encoded, JSON-escaped, in hex, in base64 at any offset."""
    raw = secret.encode()
    aligned = [base64.b64encode(b"\0" * shift + raw)[4:-4] for shift in range(3)]
    return [raw, quote(secret).encode(), json.dumps(secret)[1:-1].encode(), raw.hex().encode(), *aligned]
