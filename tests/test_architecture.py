"""Who may import whom, and what only the edges may touch: read from the syntax of every file, functions included."""

from __future__ import annotations

import ast
import fnmatch
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "connectors", "flows")
# Modules of ours that stand on the database: connectors and their mappings see only values.
STORES = {
    "models.database", "models.ledger", "models.lease", "models.migrations", "models.quota", "models.tables",
    "models.timetable",
}  # fmt: skip
SHARED = {f"connectors.{file.stem}" for file in (ROOT / "connectors").glob("*.py")} | {"connectors.conformance"}
TOP_LEVEL = {
    *PACKAGES, "tests", "data", ".ci", ".git", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile",
    "README.md", "README.vi.md", "prefect.yaml", "pyproject.toml", "requirements.lock", "requirements-dev.lock",
}  # fmt: skip
# Files that may read the clock, wait, or draw random numbers themselves, and why.
EDGES = {
    "models/clock.py": "is the port to the clock",
    "flows/wiring.py": "hands out the system's randomness",
    "flows/artifacts.py": "asks Prefect's server less often: no result depends on it",
    "flows/up.py": "waits for the processes it started",
}


@dataclass(frozen=True)
class Source:
    """One file: its place in the tree, and what it says."""

    path: PurePosixPath
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.text)

    def imports(self) -> Iterator[str]:
        """Every imported module; `from a import b` is both `a` and `a.b`, because b may be a module."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = "." * node.level + (node.module or "")
                yield origin
                yield from (f"{origin}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Call) and _dotted(node.func).split(".")[-1] in ("import_module", "__import__"):
                yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call, by its dotted name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield _dotted(node.func), node

    def comments(self) -> Iterator[str]:
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.string


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def importing(*names: str) -> Callable[[Source], list[str]]:
    """The imports of these modules or of anything in them."""

    def wrong(source: Source) -> list[str]:
        return sorted({i for i in source.imports() if any(_within(i, name) for name in names)})

    return wrong


def _within(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


# --- which files a rule is about --------------------------------------------------------------------------------------


def in_models(path: PurePosixPath) -> bool:
    return path.parts[0] == "models"


def in_connectors(path: PurePosixPath) -> bool:
    return path.parts[0] == "connectors"


def shared_connector_file(path: PurePosixPath) -> bool:
    return in_connectors(path) and (len(path.parts) == 2 or path.parts[1] == "conformance")


def in_a_marketplace(path: PurePosixPath) -> bool:
    return in_connectors(path) and not shared_connector_file(path)


def is_mapping(path: PurePosixPath) -> bool:
    return in_a_marketplace(path) and path.name == "mapping.py"


def is_simulator(path: PurePosixPath) -> bool:
    return in_a_marketplace(path) and path.name == "simulator.py"


def below_flows(path: PurePosixPath) -> bool:
    return path.parts[0] == "flows" and len(path.parts) > 2


def not_the_flows_themselves(path: PurePosixPath) -> bool:
    return not (path.parts[0] == "flows" and len(path.parts) == 2)


def not_the_transport(path: PurePosixPath) -> bool:
    return str(path) != "connectors/transport.py"


def no_edge(path: PurePosixPath) -> bool:
    return str(path) not in EDGES


def anywhere(path: PurePosixPath) -> bool:
    return True


# --- what a rule forbids ----------------------------------------------------------------------------------------------


def naming_a_marketplace(source: Source) -> list[str]:
    """Imports of a connector by its name, rather than through the registry."""
    inside = {i for i in source.imports() if _within(i, "connectors") and i != "connectors"}
    return sorted(i for i in inside if not any(_within(i, shared) for shared in SHARED))


def another_connector(source: Source) -> list[str]:
    own = f"connectors.{source.path.parts[1]}"
    return [i for i in naming_a_marketplace(source) if not _within(i, own)]


def its_own_connector(source: Source) -> list[str]:
    return importing(f"connectors.{source.path.parts[1]}")(source)


def flows_beyond_the_steps(source: Source) -> list[str]:
    inside = {i for i in source.imports() if _within(i, "flows") and i != "flows"}
    return sorted(i for i in inside if not _within(i, "flows.steps") and not _within(i, "flows.sources"))


def an_impure_mapping(source: Source) -> list[str]:
    modules = ("httpx", "os", "random", "secrets", "time", "uuid", "pathlib", "socket", "models.clock")
    return importing(*modules)(source) + _present_moment(source)


def a_clock_or_dice(source: Source) -> list[str]:
    """The real clock, a real wait, or randomness nobody can seed."""
    drawn = [
        name
        for name, call in source.calls()
        if _within(name, "random") and not (name == "random.Random" and (call.args or call.keywords))
    ]
    dice = [i for i in source.imports() if _within(i, "random") and i not in ("random", "random.Random")]
    return importing("time", "secrets")(source) + dice + drawn + _present_moment(source)


def _present_moment(source: Source) -> list[str]:
    """`x.now()` and the like, unless x is a clock that was handed in."""
    asked = (name.rpartition(".") for name, _ in source.calls())
    found = [f"{of}.{what}" for of, _, what in asked if what in ("now", "utcnow", "today") and of]
    return [name for name in found if not name.rpartition(".")[0].lower().endswith("clock")]


def a_silent_exception(source: Source) -> list[str]:
    """A `type: ignore` or `noqa` without its code, or without the reason beside it."""
    marked = (c for c in source.comments() if re.search(r"#\s*(type:\s*ignore|noqa)", c))
    form = re.compile(r"#\s*(type: ignore\[[\w,-]+\]|noqa: [A-Z]+\d+(, [A-Z]+\d+)*)\s+# ?\S.*")
    return [comment for comment in marked if not form.match(comment)]


@dataclass(frozen=True)
class Rule:
    name: str
    about: Callable[[PurePosixPath], bool]
    wrong: Callable[[Source], list[str]]

    def offences(self, source: Source) -> list[str]:
        return [f"{source.path}: {what}" for what in self.wrong(source)] if self.about(source.path) else []


RULES = [
    Rule("models-stand-alone", in_models, importing("connectors", "flows", "httpx", "prefect", "tenacity")),
    Rule("connectors-know-no-database", in_connectors, importing("sqlmodel", "sqlalchemy", "alembic", *STORES)),
    Rule("shared-files-name-no-connector", shared_connector_file, naming_a_marketplace),
    Rule("connectors-are-strangers", in_a_marketplace, another_connector),
    Rule("connectors-read-no-surroundings", in_a_marketplace, importing("os", "pathlib", "sqlite3", "subprocess")),
    Rule("mappings-are-pure", is_mapping, an_impure_mapping),
    Rule("simulators-know-only-documents", is_simulator, its_own_connector),
    Rule("steps-name-no-connector", below_flows, naming_a_marketplace),
    Rule("steps-stand-below-flows", below_flows, flows_beyond_the_steps),
    Rule("prefect-only-in-flows", not_the_flows_themselves, importing("prefect")),
    Rule("nobody-imports-flows", lambda p: p.parts[0] != "flows", importing("flows")),
    Rule("retries-in-one-place", not_the_transport, importing("tenacity")),
    Rule("time-and-chance-come-from-outside", no_edge, a_clock_or_dice),
    Rule("imports-are-absolute", anywhere, importing(".", "..")),
    Rule("exceptions-have-reasons", anywhere, a_silent_exception),
]
BY_NAME = {rule.name: rule for rule in RULES}


def sources(*folders: str) -> list[Source]:
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return [Source(PurePosixPath(file.relative_to(ROOT).as_posix()), file.read_text("utf-8")) for file in files]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    offences = [offence for source in sources(*PACKAGES) for offence in rule.offences(source)]

    assert offences == []


def test_types_ignored_in_tests_have_reasons_too() -> None:
    rule = BY_NAME["exceptions-have-reasons"]

    offences = [offence for source in sources("tests") for offence in rule.offences(source) if "type:" in offence]

    assert offences == []


OFFENDERS = [
    ("models-stand-alone", "models/a.py", "import httpx"),
    ("models-stand-alone", "models/a.py", "from connectors.contract import Policy"),
    ("models-stand-alone", "models/migrations/a.py", "def f():\n    from flows import settings"),
    ("models-stand-alone", "models/a.py", "from prefect.states import Completed"),
    ("models-stand-alone", "models/a.py", "import tenacity as t"),
    ("connectors-know-no-database", "connectors/a.py", "import sqlmodel"),
    ("connectors-know-no-database", "connectors/a.py", "from sqlalchemy import select"),
    ("connectors-know-no-database", "connectors/lazada/client.py", "from models import ledger"),
    ("connectors-know-no-database", "connectors/conformance/a.py", "def f():\n    from models.tables import Outbox"),
    ("shared-files-name-no-connector", "connectors/a.py", "from connectors.lazada.auth import sign"),
    ("shared-files-name-no-connector", "connectors/a.py", "from connectors import lazada"),
    ("shared-files-name-no-connector", "connectors/a.py", "x = import_module('connectors.lazada')"),
    ("shared-files-name-no-connector", "connectors/conformance/a.py", "import connectors.lazada"),
    ("connectors-are-strangers", "connectors/zalo/client.py", "from connectors.lazada.auth import sign"),
    ("connectors-are-strangers", "connectors/zalo/client.py", "def f():\n    import connectors.lazada"),
    ("connectors-read-no-surroundings", "connectors/zalo/auth.py", "import os"),
    ("connectors-read-no-surroundings", "connectors/zalo/auth.py", "from os import environ"),
    ("connectors-read-no-surroundings", "connectors/zalo/client.py", "from pathlib import Path"),
    ("mappings-are-pure", "connectors/zalo/mapping.py", "import httpx"),
    ("mappings-are-pure", "connectors/zalo/mapping.py", "from models.clock import Clock"),
    ("mappings-are-pure", "connectors/zalo/mapping.py", "import os"),
    ("mappings-are-pure", "connectors/zalo/mapping.py", "import random"),
    ("mappings-are-pure", "connectors/zalo/mapping.py", "from datetime import datetime\nx = datetime.now()"),
    ("mappings-are-pure", "connectors/zalo/mapping.py", "from datetime import datetime as d\nx = d.now()"),
    ("mappings-are-pure", "connectors/zalo/mapping.py", "import datetime\nx = datetime.date.today()"),
    ("simulators-know-only-documents", "connectors/zalo/simulator.py", "from connectors.zalo.auth import sign"),
    ("simulators-know-only-documents", "connectors/zalo/simulator.py", "from connectors.zalo import mapping"),
    ("steps-name-no-connector", "flows/steps/a.py", "from connectors.lazada import CONNECTOR"),
    ("steps-name-no-connector", "flows/sources/a.py", "def f():\n    from connectors import lazada"),
    ("steps-stand-below-flows", "flows/steps/a.py", "from flows.accounts import accounts"),
    ("steps-stand-below-flows", "flows/sources/a.py", "from flows import cli"),
    ("prefect-only-in-flows", "flows/steps/a.py", "from prefect import task"),
    ("prefect-only-in-flows", "flows/sources/a.py", "import prefect"),
    ("prefect-only-in-flows", "connectors/a.py", "def f():\n    import prefect.states"),
    ("nobody-imports-flows", "connectors/a.py", "from flows.settings import Settings"),
    ("nobody-imports-flows", "connectors/zalo/client.py", "import flows"),
    ("retries-in-one-place", "connectors/zalo/client.py", "from tenacity import retry"),
    ("retries-in-one-place", "flows/steps/push.py", "import tenacity"),
    ("time-and-chance-come-from-outside", "flows/steps/a.py", "import time"),
    ("time-and-chance-come-from-outside", "connectors/a.py", "from time import sleep"),
    ("time-and-chance-come-from-outside", "models/a.py", "from datetime import datetime\nx = datetime.now(UTC)"),
    ("time-and-chance-come-from-outside", "models/a.py", "from datetime import date\nx = date.today()"),
    ("time-and-chance-come-from-outside", "connectors/a.py", "import random\nx = random.uniform(0, 1)"),
    ("time-and-chance-come-from-outside", "connectors/a.py", "import random\nx = random.Random()"),
    ("time-and-chance-come-from-outside", "connectors/a.py", "from random import choice"),
    ("imports-are-absolute", "flows/a.py", "from . import settings"),
    ("imports-are-absolute", "connectors/zalo/client.py", "from ..errors import Refused"),
    ("exceptions-have-reasons", "flows/a.py", "x = 1  # type: ignore"),
    ("exceptions-have-reasons", "flows/a.py", "x = 1  # type: ignore[arg-type]"),
    ("exceptions-have-reasons", "flows/a.py", "x = 1  # type: ignore  # because"),
    ("exceptions-have-reasons", "flows/a.py", "x = 1  # noqa"),
    ("exceptions-have-reasons", "flows/a.py", "x = 1  # noqa: S101"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "text"), OFFENDERS)
def test_the_rule_bites(name, path, text) -> None:
    assert BY_NAME[name].offences(Source(PurePosixPath(path), text + "\n")) != []


def test_every_rule_was_seen_to_bite() -> None:
    assert {name for name, _, _ in OFFENDERS} == set(BY_NAME)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("connectors/zalo/client.py", "from connectors.zalo.errors import x\nfrom connectors.transport import Session"),
        ("connectors/zalo/simulator.py", "import random\nfrom connectors.simulator import State\nr: random.Random"),
        ("connectors/simulator.py", "import random\nx = random.Random(7)"),
        ("flows/steps/push.py", "from connectors.contract import Client\nfrom datetime import time as clock_time"),
        ("flows/nightly.py", "from prefect import flow\nfrom flows.steps.night import night"),
        ("connectors/transport.py", "from tenacity import Retrying"),
        ("models/clock.py", "import time\nx = time.monotonic()"),
        ("connectors/zalo/mapping.py", "from datetime import date, timedelta\nfrom models.listing import Item"),
        ("flows/a.py", "x = 1  # type: ignore[arg-type]  # pydantic checks it\ny = 2  # noqa: S101, S102  # a reason"),
    ],
)
def test_what_is_allowed_passes_every_rule(path, text) -> None:
    source = Source(PurePosixPath(path), text + "\n")

    assert [offence for rule in RULES for offence in rule.offences(source)] == []


@pytest.mark.parametrize("path", sorted(EDGES))
def test_every_edge_still_needs_its_exception(path) -> None:
    """A list of exceptions that nobody needs any more hides the next offence."""
    source = Source(PurePosixPath(path), (ROOT / path).read_text("utf-8"))

    assert a_clock_or_dice(source) != []


def test_the_top_level_holds_only_what_belongs_there() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()

    assert strangers([entry.name for entry in ROOT.iterdir()], ignored) == []


def test_another_folder_at_the_top_would_be_noticed() -> None:
    assert strangers(["flows", "utils", "build", "prefect.yaml", "a.egg-info"], ["build/", "*.egg-info/"]) == ["utils"]


def strangers(names: list[str], ignored: list[str]) -> list[str]:
    """Entries of the top level that neither belong there nor are left out of the repository."""
    patterns = [line.strip("/") for line in ignored if line and not line.startswith("#")]
    return [n for n in names if n not in TOP_LEVEL and not any(fnmatch.fnmatch(n, p) for p in patterns)]
