"""No secret leaves its place: a whole night at the most talkative level, with every credential a canary."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from connectors.registry import connector, names
from connectors.simulator import Fault
from flows.accounts import sandbox_of
from flows.cli import app
from flows.settings import Settings

ROOT = Path(__file__).parents[2]
ENOUGH = 9  # characters: a shorter text may stand anywhere by chance


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CAYBEO_LOG_LEVEL", "DEBUG")
    return Settings()


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every secret field of every sandbox account holds one."""
    set_out = []
    for name in names():
        simulator, fields = connector(name).simulator_class(), connector(name).credentials.model_fields
        known = dict(simulator.credentials)
        secret = [field for field in known if SecretStr in _kinds(fields[field].annotation)]
        assert secret, name
        known |= {field: f"chim-hoang-yen-{name}-{field}" for field in secret}
        monkeypatch.setattr(simulator, "credentials", known)
        set_out += [known[field] for field in secret]
    return set_out


def _kinds(annotation: object) -> tuple[object, ...]:
    return (annotation, *getattr(annotation, "__args__", ()))


def given_out(settings: Settings, name: str) -> Iterator[str]:
    """Tokens that the marketplace gave us meanwhile: as good as a credential."""
    sandbox = sandbox_of(settings, name)
    with sandbox.state.transaction():
        for kind in ("token", "refresh"):
            for key, value in sandbox.state.items(kind):
                yield from (text for text in (key, value) if isinstance(text, str) and len(text) >= ENOUGH)
    sandbox.state.close()


def everything_kept(home: Path) -> Iterator[tuple[str, bytes]]:
    """All files but the simulated marketplaces' own."""
    for file in sorted(home.rglob("*")):
        if file.is_file() and "sandbox" not in file.relative_to(home).parts:
            yield file.name, file.read_bytes()


def test_no_secret_shows_in_what_is_printed_logged_or_kept(
    settings: Settings, canaries: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []

    def caybeo(*words: str) -> None:
        result = CliRunner().invoke(app, [*words, "--json"])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        said.append(result.output)

    for source in ("catalogue/ocop_ca_mau.csv", "sandbox/offers.csv", "sandbox/english.csv"):
        file = tmp_path / Path(source).name
        file.write_text("".join((ROOT / "data" / source).read_text("utf-8").splitlines(keepends=True)[:3]), "utf-8")
        caybeo("import", str(file))
    caybeo("nightly")
    for name in names():
        caybeo("accounts", "check", name)
        for fault in (Fault(times=2, status=403), Fault(times=1, drop=True)):
            sandbox = sandbox_of(settings, name)
            sandbox.fault(fault)
            sandbox.state.close()
            caybeo("reconcile", "--account", name)
    for words in (("accounts", "list"), ("oddities",), ("status",), ("ledger",), ("doctor",), ("connectors",)):
        caybeo(*words)

    secrets = {*canaries, *(token for name in names() for token in given_out(settings, name))}
    places = {"said": "".join(said).encode(), "logged": caplog.text.encode(), **dict(everything_kept(settings.home))}
    assert len(secrets) >= len(canaries)
    assert caplog.records
    assert [(place, secret) for secret in secrets for place, text in places.items() if secret.encode() in text] == []
