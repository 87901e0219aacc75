"""What `caybeo nightly` tells a person when a source holds rows that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from models.report import PEOPLE

ROWS = "Mã sản phẩm,Tên sản phẩm,Giá bán,Tồn kho\nZ1,Tôm khô một,abc,5\nZ2,Tôm khô hai,100000,5\n"


def test_a_bad_row_is_named_and_the_night_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "home"))
    sheet = tmp_path / "gia.csv"
    sheet.write_text(ROWS)
    CliRunner().invoke(app, ["sources", "add", str(sheet)])

    night = CliRunner().invoke(app, ["nightly", "--account", "postmart"])

    assert night.exit_code == PEOPLE, night.output
    assert "gia.csv, dòng 2, cột Giá bán: “abc”" in night.output
    assert not (tmp_path / "home" / "logs" / "errors.log").exists()


def test_brackets_in_a_sheet_are_shown_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console that took them for its own markup would lose them, or end with a traceback."""
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "home"))
    sheet = tmp_path / "gia.csv"
    sheet.write_text("Mã sản phẩm,Tên sản phẩm,Giá bán,Tồn kho\nZ1,Tôm [bold]khô,[/red],5\nZ2,Tôm [/b] hai,100000,5\n")
    CliRunner().invoke(app, ["sources", "add", str(sheet)])

    night = CliRunner().invoke(app, ["nightly", "--account", "postmart"])
    shown = CliRunner().invoke(app, ["timeline", "Z2"])

    assert night.exit_code == PEOPLE, night.output
    assert "gia.csv, dòng 2, cột Giá bán: “[/red]”" in night.output
    assert "Z2 – Tôm [/b] hai" in shown.output
