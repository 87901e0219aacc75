"""What `caybeo connectors new` writes is a connector that passes the kit, under the name it was given."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.conformance.scaffold import NotWritten, renamed, write
from connectors.conformance.suite import check
from connectors.conformance.template import CONNECTOR
from connectors.registry import names

ROOT = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "connectors").mkdir()
    (tmp_path / "tests" / "connectors").mkdir(parents=True)
    return tmp_path


def test_the_template_passes_the_kit() -> None:
    assert [v.name for v in check(CONNECTOR) if v.status == "failed"] == []


def test_the_template_is_no_marketplace() -> None:
    assert not {"template", "conformance"} & set(names())


def test_a_new_connector_has_every_file_and_its_own_name(root) -> None:
    files = {str(path.relative_to(root)): path.read_text("utf-8") for path in write("thu", root)}

    code = [f"{name}.py" for name in ("__init__", "auth", "client", "errors", "mapping", "simulator")]
    wanted = sorted([*code, "README.md", "errors.toml"])
    assert sorted(files) == [*(f"connectors/thu/{name}" for name in wanted), "tests/connectors/thu/test_connector.py"]
    assert not any("template" in text.lower() for text in files.values())
    assert 'name="thu"' in files["connectors/thu/__init__.py"]


def test_what_is_written_is_as_our_linter_wants_it(root) -> None:
    write("thu", root)
    shutil.copy(ROOT / "pyproject.toml", root)
    ours = 'lint.isort.known-first-party=["connectors", "models"]'  # the rest of it lies elsewhere here

    for command in (["check", "--config", ours], ["format", "--check"]):
        call = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        assert subprocess.run(call, cwd=root, check=False).returncode == 0


def test_a_wheel_without_tests_gets_no_test(tmp_path) -> None:
    (tmp_path / "connectors").mkdir()

    assert "test_connector.py" not in {path.name for path in write("thu", tmp_path)}


@pytest.mark.parametrize("name", ["", "Thu", "thử", "1thu", "t", "thu-thu", "../thu", "class", "a" * 31])
def test_a_bad_name_writes_nothing(root, name) -> None:
    with pytest.raises(NotWritten, match="cannot be used"):
        write(name, root)

    assert list((root / "connectors").iterdir()) == []


def test_what_is_there_is_never_overwritten(root) -> None:
    (root / "connectors" / "contract.py").write_text("")
    write("thu", root)

    for name in ("thu", "contract"):
        with pytest.raises(NotWritten, match="is there already"):
            write(name, root)


def test_only_whole_words_are_renamed() -> None:
    assert renamed('name = "template"; contemplate', "thu") == 'name = "thu"; contemplate'
