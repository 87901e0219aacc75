"""`caybeo connectors`: the list, the kit on one of them, and a new one; with sentences in both languages."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.conformance.suite import SCENARIOS
from connectors.registry import GROUP, connector, names
from flows.cli import app
from models.report import DONE, PEOPLE, USAGE


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAYBEO_HOME", str(tmp_path / "home"))


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An installed package whose connector is broken."""
    info = tmp_path / "thung_connector-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thung-connector\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nthung = thung_connector:CONNECTOR\n")
    (tmp_path / "thung_connector.py").write_text(
        "from dataclasses import replace\n"
        "from connectors.conformance.template import simulator\n"
        "from tests.connectors.conformance.mutants import MUTANTS\n"
        "class Simulator(simulator.Simulator):\n    name = 'thung'\n"
        "CONNECTOR = replace(MUTANTS[0].connector, name='thung', simulator='thung_connector.Simulator')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    connector.cache_clear()
    yield "thung"
    connector.cache_clear()
    sys.modules.pop("thung_connector", None)


def caybeo(*words: str) -> tuple[int, str, str]:
    said = CliRunner().invoke(app, ["connectors", *words])
    return said.exit_code, said.stdout, said.stderr


def test_the_list_is_shown_without_a_further_word() -> None:
    code, out, _ = caybeo("--json")

    assert code == DONE
    assert {row["name"] for row in json.loads(out)["connectors"]} >= set(names())


def test_a_check_tells_every_scenario_and_counts_them() -> None:
    code, out, _ = caybeo("check", "postmart")

    assert code == DONE
    assert "đạt: Tin mới đọc lại đúng từng mục read-back" in out
    assert "không có cặp khóa tự đổi" in out
    assert "postmart: 53 tình huống đạt, 0 hỏng, 3 không áp dụng." in out


def test_a_check_for_scripts_is_one_document() -> None:
    code, out, _ = caybeo("check", "postmart", "--json", "--lang", "en")

    document = json.loads(out)
    assert code == DONE
    assert (document["passed"], document["failed"], document["not_applicable"]) == (53, 0, 3)
    assert [one["name"] for one in document["scenarios"]] == [scenario.name for scenario in SCENARIOS]


def test_a_foreign_connector_that_fails_says_what_was_found_and_exits_1(foreign, monkeypatch) -> None:
    monkeypatch.setenv("CAYBEO_CONNECTORS", foreign)

    code, out, _ = caybeo("check", foreign, "--lang", "en")

    assert code == PEOPLE
    assert "FAILED: A new listing reads back as it was meant" in out
    assert "Expected: what is read back to be what was sent." in out


def test_one_that_nobody_allowed_is_not_even_imported(foreign) -> None:
    code, out, err = caybeo("check", foreign, "--lang", "en")

    assert code == USAGE
    assert "add the name to CAYBEO_CONNECTORS" in out + err
    assert "thung_connector" not in sys.modules


def test_one_of_another_name_than_its_entry_point_is_refused(foreign, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CAYBEO_CONNECTORS", foreign)
    (tmp_path / "thung_connector.py").write_text("from connectors.conformance.template import CONNECTOR\n")

    code, out, err = caybeo("check", foreign, "--lang", "en")

    assert code == USAGE
    assert "declares a connector of another name" in out + err


def test_an_allowed_one_is_described_and_has_a_sandbox_account_while_it_is_allowed(foreign, monkeypatch) -> None:
    monkeypatch.setenv("CAYBEO_CONNECTORS", foreign)
    _, out, _ = caybeo("--json")
    (row,) = [row for row in json.loads(out)["connectors"] if row["foreign"]]
    assert (row["name"], row["safety"], row["allowed"]) == ("thung", "A", True)
    assert "thung" in account_names()

    monkeypatch.delenv("CAYBEO_CONNECTORS")

    assert "thung" not in account_names()


def account_names() -> set[str]:
    said = CliRunner().invoke(app, ["accounts", "list", "--json"])
    return {account["account"] for account in json.loads(said.stdout)["accounts"]}


def test_a_name_that_cannot_be_used_is_said_in_both_languages() -> None:
    for lang, words in (("vi", "Tên “Thu” không dùng được."), ("en", "The name “Thu” cannot be used.")):
        code, out, err = caybeo("new", "Thu", "--lang", lang)

        assert code == USAGE
        assert words in out + err


def test_a_name_that_is_taken_is_refused() -> None:
    code, out, err = caybeo("new", "voso")

    assert code == USAGE
    assert "Đã có connectors/voso." in out + err
