"""A command that cannot do what was asked says so in a sentence, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from models.report import USAGE


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        (["withdraw"], "--help"),
        (["plan", "show", "x"], "--help"),
        (["db", "restore", "khong-co.sqlite"], "--help"),
        (["timeline", "KHONG"], "nhập sản phẩm trước"),
        (["preview", "KHONG", "-a", "voso"], "nhập sản phẩm trước"),
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
