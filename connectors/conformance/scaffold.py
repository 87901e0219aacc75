"""Writes a new connector: the template under another name, with a test of its own."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path

import connectors
from models.text import Text

TEMPLATE = Path(__file__).parent / "template"
NAME = re.compile(r"[a-z][a-z0-9_]{1,29}")
IMPORTS = re.compile(r"(?:^from connectors\..*\n)+", re.MULTILINE)
TEST = "test_connector.py"


class NotWritten(Exception):
    """Nothing was written; `message` says why and `next_step` what to do."""

    def __init__(self, message: Text, next_step: Text) -> None:
        super().__init__(message.en)
        self.message, self.next_step = message, next_step


def write(name: str, root: Path | None = None) -> list[Path]:
    """The files of the new connector; its test lies in tests/ where there is such a folder beside connectors/."""
    root = root or Path(connectors.__file__).parents[1]
    _check(name, root)
    files = dict(_files(name, root))
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return list(files)


def _check(name: str, root: Path) -> None:
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise NotWritten(
            Text(f"Tên “{name}” không dùng được.", f"The name “{name}” cannot be used."),
            Text(
                "Dùng chữ thường không dấu, số và gạch dưới, bắt đầu bằng chữ, 2–30 ký tự.",
                "Use lower-case letters, digits and underscores, beginning with a letter, 2-30 characters.",
            ),
        )
    taken = (root / "connectors" / name, root / "connectors" / f"{name}.py", root / "tests" / "connectors" / name)
    for path in taken:
        if path.exists():
            raise NotWritten(
                Text(f"Đã có {path.relative_to(root)}.", f"{path.relative_to(root)} is there already."),
                Text("Chọn tên khác, hoặc xóa thư mục đó trước.", "Choose another name, or remove that folder first."),
            )


def _files(name: str, root: Path) -> Iterator[tuple[Path, str]]:
    tests = root / "tests" / "connectors"
    for source in sorted(TEMPLATE.iterdir()):
        if source.is_dir() or (source.name == TEST and not tests.is_dir()):
            continue
        folder = tests / name if source.name == TEST else root / "connectors" / name
        yield folder / source.name, renamed(source.read_text("utf-8"), name)


def renamed(text: str, name: str) -> str:
    """The template's text, of the connector of that name."""
    text = text.replace("connectors.conformance.template", f"connectors.{name}")
    text = text.replace("Template", name.replace("_", " ").title())
    return IMPORTS.sub(_in_order, re.sub(r"\btemplate\b", name, text))


def _in_order(imports: re.Match[str]) -> str:
    """Another name stands at another place among its neighbours."""
    return "".join(sorted(imports[0].splitlines(keepends=True), key=lambda line: line.split()[1]))
