"""What a source holds right now: its bytes or rows with their hash, before anything is understood."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from flows.sources import queries
from flows.sources.cells import Cell
from flows.sources.columns import field_names, plain_header
from flows.sources.problems import SourceRefused
from models.text import Text, number

CSV_BYTES = 100 * 1024 * 1024
READABLE = (".csv", ".xlsx")
OLD_OR_LOCKED = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """Rows in order, the first one being row 1 of the file."""

    file: str
    rows: Iterable[Sequence[Cell]]
    even: bool = False  # every row must be as wide as the header: a CSV line that is not was cut or misquoted


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    digest: str
    sheets: Callable[[], Iterator[Sheet]]
    folder: Path | None = None  # where the files lie, and their pictures


def load(kind: str, location: str, *, query: str = "", sheet: str = "", encoding: str = "") -> Content:
    """Reads a source once; what is parsed later is exactly what was hashed."""
    if kind == "sql":
        rows = queries.rows(location, query)
        digest = blake2b(repr((query, rows)).encode(), digest_size=16).hexdigest()
        return Content(digest=digest, sheets=lambda: iter([Sheet(file=queries.shown(location), rows=rows)]))
    files = {path.name: _bytes(path) for path in _paths(Path(location), kind)}
    return Content(
        digest=_digest(files, sheet, encoding),
        sheets=lambda: (_sheet(name, data, sheet, encoding) for name, data in files.items()),
        folder=Path(location).parent if kind == "file" else Path(location),
    )


def _paths(location: Path, kind: str) -> list[Path]:
    if kind == "file":
        return [location]
    try:
        inside = sorted(location.iterdir())
    except OSError as error:
        raise _unreadable(location, error) from None
    # "~$" is the lock file Excel keeps beside an open workbook
    return [p for p in inside if p.suffix.lower() in READABLE and not p.name.startswith(("~$", "."))]


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > CSV_BYTES:
            raise SourceRefused(*_too_large(path.name))
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _digest(files: dict[str, bytes], sheet: str, encoding: str) -> str:
    total = blake2b(f"{sheet}\0{encoding}".encode(), digest_size=16)
    for name, data in files.items():
        total.update(f"\0{name}\0{len(data)}\0".encode(errors="surrogateescape"))
        total.update(data)
    return total.hexdigest()


def _sheet(name: str, data: bytes, sheet: str, encoding: str) -> Sheet:
    zipped = data.startswith(b"PK\x03\x04")
    if not zipped and not data.startswith(OLD_OR_LOCKED):
        return Sheet(file=name, rows=_csv_rows(name, data, encoding), even=True)
    from flows.sources import workbooks  # openpyxl: 80 ms of every start that only a workbook is worth

    if not zipped:
        raise SourceRefused(*workbooks.old_or_locked(name))
    return Sheet(file=name, rows=workbooks.rows(name, data, sheet))


def _csv_rows(name: str, data: bytes, encoding: str) -> Iterator[Sequence[Cell]]:
    codec = _codec(name, data, encoding)
    delimiter = _delimiter(io.TextIOWrapper(io.BytesIO(data), codec, newline=""))
    stream = io.TextIOWrapper(io.BytesIO(data), codec, newline="")
    try:
        yield from csv.reader(stream, delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise SourceRefused(*_misquoted(name, str(error))) from None


def _codec(name: str, data: bytes, encoding: str) -> str:
    """The codec, after all bytes were tried: a file is refused whole rather than read with holes."""
    codec = encoding or "utf-8-sig"
    try:
        if b"\0" in data and not encoding:
            raise SourceRefused(*_not_text(name))
        codecs.decode(data, codec)
        io.TextIOWrapper(io.BytesIO(), codec).close()  # refuses codecs that are no text encoding
    except UnicodeDecodeError as error:
        raise SourceRefused(*_not_encoded(name, data.count(b"\n", 0, error.start) + 1, codec)) from None
    except (LookupError, ValueError):
        raise SourceRefused(*_no_codec(encoding)) from None
    return codec


def _delimiter(stream: io.TextIOWrapper) -> str:
    """The separator under which more columns of the first lines are understood."""
    start = [line for line, _ in zip(stream, range(10), strict=False)]
    known = field_names()

    def understood(delimiter: str) -> int:
        return max(
            (sum(plain_header(c.strip('"')) in known for c in line.split(delimiter)) for line in start), default=0
        )

    return max(",;", key=understood)


def _unreadable(path: Path, error: OSError) -> SourceRefused:
    if isinstance(error, FileNotFoundError):
        message = Text(f"Không tìm thấy tệp {path.name}.", f"File {path.name} is not there.")
    else:
        message = Text(f"Không đọc được tệp {path.name}.", f"File {path.name} cannot be read.")
    return SourceRefused(
        message,
        Text(
            "Kiểm tra đường dẫn và quyền đọc; nếu không dùng nguồn này nữa, chạy “caybeo sources remove”.",
            "Check the path and its permissions; run “caybeo sources remove” where it is no longer used.",
        ),
        unreachable=True,
    )


def _too_large(name: str) -> tuple[Text, Text]:
    limit = number(CSV_BYTES // 1024 // 1024)
    return (
        Text(f"Tệp {name} lớn hơn {limit} MB.", f"File {name} is larger than {limit} MB."),
        Text("Chia bảng thành nhiều tệp nhỏ hơn.", "Divide the table into smaller files."),
    )


def _not_encoded(name: str, line: int, codec: str) -> tuple[Text, Text]:
    shown = "UTF-8" if codec == "utf-8-sig" else codec
    return (
        Text(
            f"Tệp {name} không phải {shown}: dòng {line} có byte lạ.", f"File {name} is not {shown}: see line {line}."
        ),
        Text(
            "Lưu lại thành CSV UTF-8, hoặc nêu bảng mã, ví dụ --encoding cp1258.",
            "Save it as CSV UTF-8, or name its encoding, such as --encoding cp1258.",
        ),
    )


def _not_text(name: str) -> tuple[Text, Text]:
    return (
        Text(f"Tệp {name} không phải văn bản CSV hay bảng tính xlsx.", f"File {name} is neither CSV text nor xlsx."),
        Text("Lưu bảng thành CSV UTF-8 hoặc xlsx.", "Save the table as CSV UTF-8 or xlsx."),
    )


def _no_codec(encoding: str) -> tuple[Text, Text]:
    return (
        Text(f"Không có bảng mã tên {encoding}.", f"There is no encoding named {encoding}."),
        Text("Dùng tên như utf-8, cp1258 hoặc utf-16.", "Use a name such as utf-8, cp1258 or utf-16."),
    )


def _misquoted(name: str, why: str) -> tuple[Text, Text]:
    return (
        Text(
            f"Tệp {name} có dấu ngoặc kép không khép ({why}).", f"File {name} has a quote that does not close ({why})."
        ),
        Text("Mở tệp bằng bảng tính và lưu lại thành CSV UTF-8.", "Open it in a spreadsheet and save it as CSV UTF-8."),
    )
