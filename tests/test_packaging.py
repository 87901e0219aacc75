"""The wheel is what people install: it holds our three packages whole, works elsewhere, and its locks are complete."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from configparser import ConfigParser
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("connectors", "flows", "models")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    _run(sys.executable, *build, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory) -> Path:
    """An environment of its own: the wheel in it, and the libraries of this one behind it, without any network."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    site = Path(_run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    # A .pth file's own folder entries are read, those in the folders it names are not: the checkout stays out.
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    pip = ("-m", "pip", "--python", str(python), "--disable-pip-version-check", "install")
    _run(sys.executable, *pip, "--no-deps", "--no-index", "--quiet", str(wheel))
    return place


def test_the_wheel_holds_our_three_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in _names(wheel)}

    assert {top for top in tops if not top.endswith(".dist-info")} == set(OURS)
    assert len(tops) == len(OURS) + 1


def test_every_file_of_ours_is_in_it(wheel: Path) -> None:
    """Also what is no Python: the contract, the fonts, the migrations, each connector's page."""
    there = _names(wheel)
    tree = (file for package in OURS for file in (ROOT / package).rglob("*") if file.is_file())

    missing = {f.relative_to(ROOT).as_posix() for f in tree if "__pycache__" not in f.parts} - there

    assert missing == set()


@pytest.mark.parametrize(
    "needed",
    [
        "connectors/madeincamau/openapi.yaml",
        "flows/sources/fonts/DejaVuSans.ttf",
        "flows/sources/fonts/DejaVuSansCondensed-Bold.ttf",
        "flows/sources/fonts/LICENSE",
        "models/migrations/env.py",
        "models/migrations/script.py.mako",
        "models/migrations/versions/0001_first_tables.py",
    ],
)
def test_what_runs_need_beside_code_is_in_it(wheel: Path, needed) -> None:
    assert needed in _names(wheel)


def test_the_command_is_declared(wheel: Path) -> None:
    declared = ConfigParser()
    with ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt"))
        declared.read_string(archive.read(name).decode())

    assert dict(declared["console_scripts"]) == {"caybeo": "flows.cli:main"}


@pytest.mark.parametrize("package", OURS)
def test_the_names_are_ours_where_the_wheel_is_installed(installed: Path, package, tmp_path: Path) -> None:
    """`flows`, `connectors` and `models` are names that published packages bear too."""
    told = _run(str(installed / "bin" / "python"), "-c", f"import {package}; print({package}.__file__)", cwd=tmp_path)

    assert Path(told.stdout.strip()).is_relative_to(installed)


def test_the_installed_command_finds_itself_healthy(installed: Path, tmp_path: Path) -> None:
    told = _run(str(installed / "bin" / "caybeo"), "doctor", "--json", cwd=tmp_path, CAYBEO_HOME=str(tmp_path / "home"))

    checks = {check["name"]: check for check in json.loads(told.stdout)["checks"]}
    assert all(check["ok"] for check in checks.values())
    assert {"madeincamau", "postmart", "voso"} <= set(checks["connectors"]["message"].split(", "))


def test_the_installed_command_lists_the_catalogue_in_the_sandbox(installed: Path, tmp_path: Path) -> None:
    caybeo, home = str(installed / "bin" / "caybeo"), str(tmp_path / "home")
    product = tmp_path / "sp.csv"
    product.write_text("Mã SKU,Tên sản phẩm,Giá bán,Tồn kho\nTK1,Tôm khô,250000,10\n", "utf-8")

    told = _run(caybeo, "import", str(product), "--json", cwd=tmp_path, CAYBEO_HOME=home)

    assert json.loads(told.stdout)["status"] == "taken"


# --- lock files -------------------------------------------------------------------------------------------------------


class Pinned(NamedTuple):
    name: str
    version: str
    marker: str


LINE = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)(?:\[[a-z,-]+\])?==(?P<version>\S+)(?: ; (?P<marker>.+))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
LOCKS = ("requirements.lock", "requirements-dev.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes(lock) -> None:
    entries = _entries((ROOT / lock).read_text("utf-8"))

    assert len(entries) > 30
    assert [line for line, _ in entries if not LINE.fullmatch(line)] == []
    assert [line for line, hashes in entries if not hashes or not all(map(HASH.fullmatch, hashes))] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_index(lock) -> None:
    text = (ROOT / lock).read_text("utf-8")

    assert not re.search(r"://|--index|--extra|--find|^-[if]|\s@\s", text, re.MULTILINE)


def test_what_runs_is_what_is_tested() -> None:
    run, tested = (set(_pinned(lock)) for lock in LOCKS)

    assert run - tested == set()


def test_every_dependency_is_locked() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {_name(line) for line in declared["project"]["dependencies"]}
    developers = {_name(line) for line in declared["dependency-groups"]["dev"]}

    assert wanted - {p.name for p in _pinned("requirements.lock")} == set()
    assert developers - {p.name for p in _pinned("requirements-dev.lock")} == set()


@pytest.mark.parametrize(
    "line",
    ["prefect>=3.8", "prefect", "prefect==3.8.8; extra", "prefect @ git+ssh://x", "-r other.lock", "Prefect==1 --pre"],
)
def test_a_line_that_pins_nothing_would_be_noticed(line) -> None:
    assert not LINE.fullmatch(line)


def _entries(text: str) -> list[tuple[str, list[str]]]:
    """Each requirement with its hashes; lines that go on are joined."""
    lines = (line for line in text.replace("\\\n", "").splitlines() if line and not line.startswith("#"))
    split = ([part.strip() for part in re.split(r"(?=--hash=)", line)] for line in lines)
    return [(parts[0], parts[1:]) for parts in split]


def _pinned(lock: str) -> list[Pinned]:
    found = (LINE.fullmatch(line) for line, _ in _entries((ROOT / lock).read_text("utf-8")))
    return [Pinned(m["name"], m["version"], m["marker"] or "") for m in found if m]


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=;~! ]", requirement)[0].lower().replace("_", "-")


def _names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def _run(*command: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """A child that sees neither this process's paths nor its settings; its words where it fails."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAYBEO_", "PYTHON", "PIP_", "PREFECT_"))}
    env = {**kept, "PYTHONUTF8": "1", **more}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done
