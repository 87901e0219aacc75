"""Rows of a query on somebody else's database, whose password lives in the environment only."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from sqlalchemy import URL, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from flows.sources.cells import Cell
from flows.sources.problems import SourceRefused
from models.text import Text

NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SECRET_OPTIONS = {"password", "passwd", "pwd", "sslpassword"}


def check(location: str, query: str) -> str:
    """The address as it may be stored: no password in it, a SQLite file by its full path."""
    url = _parsed(location)
    literal = [url.password or "", *(str(v) for k, v in url.query.items() if k.lower() in SECRET_OPTIONS)]
    if any(NAMED.sub("", part) for part in literal):
        raise SourceRefused(*PASSWORD)
    if not query.strip():
        raise SourceRefused(*NO_QUERY)
    if url.get_backend_name() == "sqlite" and url.database and not NAMED.search(url.database):
        url = url.set(database=str(Path(url.database).absolute()))
        return url.render_as_string(hide_password=False)
    return location


def rows(location: str, query: str) -> list[Sequence[Cell]]:
    """Header and rows. Nothing is committed, so a query that writes changes nothing."""
    url = _filled(_parsed(location))
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise SourceRefused(*_failed(location, "no such file"), unreachable=True)  # SQLite would create it
    try:
        engine = create_engine(url)
        try:
            with engine.connect() as db:
                result = db.execute(text(query.replace(":", r"\:")))
                return [list(result.keys()), *([_cell(value) for value in row] for row in result)]
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        words = str(getattr(error, "orig", None) or error).replace(str(url.password or "\0"), "***")
        raise SourceRefused(*_failed(location, words), unreachable=True) from None


def shown(location: str) -> str:
    """The database as people know it: its name, without host or user."""
    return Path(_parsed(location).database or "sql").name


def _parsed(location: str) -> URL:
    try:
        return make_url(location)
    except (ArgumentError, ValueError):
        raise SourceRefused(*ADDRESS) from None


def _filled(url: URL) -> URL:
    return URL.create(
        url.drivername,
        username=_fill(url.username),
        password=_fill(url.password),
        host=_fill(url.host),
        port=url.port,
        database=_fill(url.database),
        query={name: _fill(value) or "" for name, value in url.query.items() if isinstance(value, str)},
    )


def _fill(part: str | None) -> str | None:
    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise SourceRefused(*_unset(found[1]), unreachable=True)
        return os.environ[found[1]]

    return NAMED.sub(value, part) if part else part


def _cell(value: object) -> Cell:
    """A whole number of a database is exact, unlike one of a spreadsheet: it may also be a key."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")  # the sign of a lost letter is refused later, with its row
    return value if isinstance(value, Cell | Decimal) else str(value)


def _failed(location: str, words: str) -> tuple[Text, Text]:
    name = shown(location)
    return (
        Text(f"Không đọc được cơ sở dữ liệu {name}: {words[:300]}", f"Database {name} cannot be read: {words[:300]}"),
        Text(
            "Kiểm tra địa chỉ, quyền đọc và câu truy vấn; PostgreSQL cần gói psycopg.",
            "Check the address, the permissions and the query; PostgreSQL needs psycopg.",
        ),
    )


def _unset(name: str) -> tuple[Text, Text]:
    return (
        Text(f"Biến môi trường {name} chưa được đặt.", f"The environment variable {name} is not set."),
        Text(f"Đặt {name} cho tiến trình chạy đồng bộ.", f"Set {name} for the process that runs the sync."),
    )


PASSWORD = (
    Text("Địa chỉ cơ sở dữ liệu có ghi mật khẩu, mật khẩu không được lưu ở đây.", "The address contains a password."),
    Text(
        "Đặt mật khẩu vào một biến môi trường và ghi ${TEN_BIEN} vào chỗ mật khẩu.",
        "Put the password into an environment variable and write ${NAME} in its place.",
    ),
)
NO_QUERY = (
    Text("Nguồn cơ sở dữ liệu cần một câu truy vấn.", "A database source needs a query."),
    Text(
        "Thêm --query, ví dụ --query “SELECT * FROM san_pham”.", "Add --query, such as --query “SELECT * FROM goods”."
    ),
)
ADDRESS = (
    Text("Địa chỉ cơ sở dữ liệu không đúng dạng.", "The database address is malformed."),
    Text(
        "Ghi theo dạng postgresql+psycopg://nguoi_dung:${MAT_KHAU}@may_chu/ten_csdl.",
        "Write it like postgresql+psycopg://user:${PASSWORD}@host/name.",
    ),
)
