"""Takes one spreadsheet from the inbox into the catalogue, or shows what it would change."""

from __future__ import annotations

from typing import Any

import msgspec
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.artifacts import publish
from flows.choices import inbox_file
from flows.endings import ask_people
from flows.stages import both, lang, opened, readable, stage
from flows.steps import pull
from flows.steps.context import Context
from flows.steps.night import begin, end, source_code
from flows.steps.pull import SourceReport
from models.report import RunReport
from models.text import Text, number


@flow(name="import", flow_run_name="import")
@readable
def import_file(path: str, sheet: str = "", encoding: str = "", dry_run: bool = True) -> State[Any]:
    """Nhập một tệp Excel hoặc CSV vào danh mục. / Takes a spreadsheet into the catalogue.

    Args:
        path: Tên tệp trong thư mục inbox. / Name of a file in the inbox folder.
        sheet: Tên trang tính; để trống là trang đầu. / Sheet; empty means the first one.
        encoding: Bảng mã của tệp CSV; để trống để tự nhận. / Encoding of a CSV file; empty detects it.
        dry_run: Chỉ kiểm tra, không nhập. Tắt đi để nhập thật. / Only a check; switch it off to import.
    """
    with opened() as context:
        file = inbox_file(context.database, context.home, path)
        report = begin(context, "import", dry_run=dry_run)
        taken = stage(
            "import",
            pull.import_file,
            context.database,
            context.home,
            file,
            context.clock,
            sheet=sheet,
            encoding=encoding,
            dry_run=dry_run,
        )
        return _ended(context, report, taken)


def _ended(context: Context, report: RunReport, taken: SourceReport) -> State[Any]:
    report.sources, report.source_code = [msgspec.to_builtins(taken)], source_code([taken])
    publish(end(context, report), "import", lang())
    ask_people(context, "")
    message = sentence(taken).to(lang())
    if taken.status in ("refused", "failed"):
        return Failed(message=message)
    return Completed(name="Held" if taken.status == "held" else "Completed", message=message)


def sentence(taken: SourceReport) -> Text:
    """The counts of one intake, and what it said itself."""
    counts = COUNTS.fill(
        rows=number(taken.rows),
        new=number(taken.new),
        changed=number(taken.changed),
        removed=number(taken.removed),
        wrong=number(len(taken.set_aside)),
    )
    return both(counts, taken.message) if taken.message else counts


COUNTS = Text(
    "{rows} dòng: {new} mới, {changed} đổi, {removed} bỏ, {wrong} dòng lỗi.",
    "{rows} rows: {new} new, {changed} changed, {removed} removed, {wrong} set aside.",
)
