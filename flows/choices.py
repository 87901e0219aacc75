"""What an operator may choose or enter in a form, and how it is checked again when the flow runs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from connectors.registry import names
from flows.accounts import AccountRefused, accounts
from flows.settings import Settings
from flows.stages import InputRefused
from models.database import chunks, open_database, reading, sqlite_file
from models.tables import SourceRow, core
from models.text import Text, number
from models.timetable import BOUND, VARIANT

SOURCE = core(SourceRow)
MOST_SKUS = 500
INBOX = "inbox"


def known() -> tuple[str, ...]:
    """The accounts of this home; before it exists, the sandbox accounts that it will begin with."""
    settings = Settings()
    file = sqlite_file(settings.url)
    if file is not None and not file.exists():
        return names()
    database = open_database(settings.url)
    try:
        return tuple(account.name for account in accounts(settings, database)) or names()
    except (AccountRefused, SQLAlchemyError):  # told properly by the run itself
        return names()
    finally:
        database.dispose()


ALL = "tất cả"
if TYPE_CHECKING:
    Account = str
    AccountOrAll = str
else:  # a list to choose from, as known when the deployment is made
    _known = known()
    Account = Literal[_known]
    AccountOrAll = Literal[(ALL, *_known)]


def skus_of(database: Engine, entered: Iterable[str]) -> tuple[str, ...]:
    """The SKUs as we write them; one field may hold many, parted by commas, blanks or lines. Raises InputRefused."""
    asked = list(dict.fromkeys(_key(part) for field in entered for part in re.split(r"[\s,;]+", field) if part))
    if len(asked) > MOST_SKUS:
        raise InputRefused(TOO_MANY.fill(count=number(len(asked)), most=number(MOST_SKUS)), FEWER)
    found = _variants(database, asked)
    if missing := [key for key in asked if key not in found]:
        raise InputRefused(NO_SKU.fill(skus=", ".join(missing[:10])), CHECK_SKU)
    return tuple(found[key] for key in asked)


def _key(sku: str) -> str:
    return unicodedata.normalize("NFKC", sku).casefold()


def _variants(database: Engine, keys: list[str]) -> dict[str, str]:
    query = select(VARIANT.c.sku, VARIANT.c.sku_key)
    with reading(database) as db:
        rows = [r for some in chunks(keys, BOUND) for r in db.execute(query.where(VARIANT.c.sku_key.in_(some)))]
    return {row.sku_key: row.sku for row in rows}


def inbox_file(database: Engine, home: Path, entered: str) -> Path:
    """A file of the inbox or of a registered source; a form never reaches another one. Raises InputRefused."""
    inbox = (home / INBOX).resolve()
    path = (inbox / entered.strip()).resolve()
    known_files = _registered(database)
    if not (path.is_relative_to(inbox) or path in known_files) or not path.is_file():
        raise InputRefused(NO_FILE.fill(name=Path(entered).name), PUT_FILE.fill(inbox=INBOX))
    return known_files.get(path, path)


def _registered(database: Engine) -> dict[Path, Path]:
    """The files of registered sources, by where they really lie."""
    with reading(database) as db:
        rows = db.execute(select(SOURCE.c.location).where(SOURCE.c.kind == "file"))
        return {(place := Path(row.location)).resolve(): place for row in rows}


TOO_MANY = Text("Có {count} mã, mỗi lần chỉ nhận {most} mã.", "There are {count} SKUs; at most {most} go at once.")
FEWER = Text(
    "Chia thành nhiều lượt, hoặc để trống để gửi mọi mặt hàng đến hạn.",
    "Split them over several runs, or leave the field empty for everything that is due.",
)
NO_SKU = Text("Không có mặt hàng nào mang mã: {skus}.", "No item has the SKU: {skus}.")
CHECK_SKU = Text("Kiểm tra lại mã trong danh mục rồi chạy lại.", "Check the SKUs in the catalogue and run again.")
NO_FILE = Text("Không được đọc, hoặc không có, tệp “{name}”.", "The file “{name}” is missing or may not be read.")
PUT_FILE = Text(
    "Chép tệp vào thư mục “{inbox}” trong thư mục dữ liệu rồi ghi đúng tên tệp.",
    "Copy the file into the folder “{inbox}” of the home and enter its name.",
)
