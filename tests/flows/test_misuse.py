"""A command that cannot do what was asked says so in a sentence, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.settings import Settings
from models.report import USAGE


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        (["withdraw"], "--help"),
        (["plan", "show", "x"], "--help"),
        (["db", "restore", "khong-co.sqlite"], "--help"),
        (["timeline", "KHONG"], "nhập sản phẩm trước"),
        (["preview", "KHONG", "-a", "voso"], "nhập sản phẩm trước"),
        (["preview", "KHONG", "-a", "voso", "--ask"], "--ask"),
        (["sources", "remove", "khong-co"], "caybeo sources list"),
        (["accounts", "remove", "khong-co"], "caybeo accounts list"),
    ],
)
def test_misuse_is_told_with_a_next_step(
    words: list[str], next_step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "home"))

    said = CliRunner().invoke(app, words)

    assert said.exit_code == USAGE, said.output
    assert next_step in said.output
    assert not (tmp_path / "home" / "logs" / "errors.log").exists()


def test_a_wrong_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAYBEO_LEASE_SECONDS", "abc")

    said = CliRunner().invoke(app, ["status"])

    assert said.exit_code == USAGE
    assert "CAYBEO_LEASE_SECONDS" in said.output
    assert "chạy lại" in said.output


@pytest.mark.parametrize(("lease", "request_", "least"), [("5", "0", 33), ("30", "20", 33), ("8", "4", 9)])
def test_a_lease_too_short_for_a_request_is_refused_with_the_least_that_works(
    monkeypatch: pytest.MonkeyPatch, lease: str, request_: str, least: int
) -> None:
    """Under such a lease no request would ever be sure to end in time, and nothing would be sent."""
    monkeypatch.setenv("CAYBEO_LEASE_SECONDS", lease)
    monkeypatch.setenv("CAYBEO_REQUEST_SECONDS", request_)

    said = CliRunner().invoke(app, ["status"])

    assert said.exit_code == USAGE
    assert f"CAYBEO_LEASE_SECONDS = {lease} quá ngắn" in said.output
    assert f"cần ít nhất {least}" in said.output
    monkeypatch.setenv("CAYBEO_LEASE_SECONDS", str(least))
    assert Settings().lease_seconds == least
