"""What a run leaves in the Prefect UI: a summary to read, tables to search, and how far it has come."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.screens import COUNTED, KINDS, MODES, REASONS, STATUS
from flows.steps.approve import SHORT
from flows.steps.plan import Planned
from flows.telling import QUIET_SECONDS, courtesy, without_insisting
from models.listing import FACET_NAMES
from models.report import AccountReport, RunReport
from models.text import Lang, Text, fold, local, money, number

MOST_ROWS = 1_000
MOST_SHOWN = 20
REFRESH_SECONDS = 2.0

Row = dict[str, str]


class Gauge:
    """A progress artifact per account and stage, made when there is something to show and then seldom renewed."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[UUID, float]] = {}
        self._quiet_until = 0.0

    def __call__(self, account: str, stage: str, done: int, total: int) -> None:
        if not total or time.monotonic() < self._quiet_until:
            return
        self._quiet_until = time.monotonic() + QUIET_SECONDS  # unless it goes well
        with courtesy(), without_insisting():
            self._show(account, stage, done, total)
            self._quiet_until = 0.0

    def _show(self, account: str, stage: str, done: int, total: int) -> None:
        key, part = f"progress-{slug(account)}-{stage}", min(100.0, 100.0 * done / total)
        if key not in self._shown:
            made = create_progress_artifact(part, key=key, description=f"{account}: {STAGES[stage]}")
            self._shown[key] = (_uuid(made), time.monotonic())
        elif part == 100.0 or time.monotonic() - self._shown[key][1] >= REFRESH_SECONDS:
            update_progress_artifact(self._shown[key][0], part)
            self._shown[key] = (self._shown[key][0], time.monotonic())


@courtesy()
def publish(report: RunReport, name: str, lang: Lang) -> None:
    """The summary and both tables of a run, under keys that stay the same from run to run."""
    create_markdown_artifact(summary(report, lang), key=f"report-{slug(name)}", description=TITLE.to(lang))
    create_table_artifact(outcomes(report, lang), key=f"outcomes-{slug(name)}", description=OUTCOMES.to(lang))
    if rows := problems(report, lang):
        create_table_artifact(rows, key=f"problems-{slug(name)}", description=PROBLEMS.to(lang))


@courtesy()
def publish_preview(planned: Planned, name: str, lang: Lang) -> None:
    """What a dry run would have sent."""
    create_markdown_artifact(preview(planned, lang), key=f"preview-{slug(name)}", description=PREVIEW.to(lang))
    if planned.examples:
        rows = change_rows(planned.examples, lang)
        create_table_artifact(rows, key=f"changes-{slug(name)}", description=CHANGES.to(lang))


@courtesy()
def publish_audit(findings: Sequence[Mapping[str, Any]], lang: Lang) -> None:
    """What the timetable has forgotten, under a key that stays the same from run to run."""
    if rows := [_problem_row(one["account"], {"field": "", **one}, lang) for one in findings[:MOST_ROWS]]:
        create_table_artifact(rows, key="problems-audit", description=PROBLEMS.to(lang))


def slug(name: str) -> str:
    """Artifact keys allow lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-") or "x"


# --- Markdown -------------------------------------------------------------------------------------------------------


def summary(report: RunReport, lang: Lang) -> str:
    """What was listed, changed and withheld, why, and what to do."""
    parts = [f"# {TITLE.to(lang)}", _sandbox(report.accounts, lang), _ended(report, lang)]
    parts += [_accounts(report, lang)] if report.accounts else []
    parts += [_sources(report.sources, lang)] if report.sources else []
    for account in report.accounts:
        parts += [_withheld(account, lang), _plans(account.plans, account.account, lang), _todo(account, lang)]
    return "\n\n".join(part for part in parts if part)


def preview(planned: Planned, lang: Lang) -> str:
    """What would be sent, and what a guard would hold."""
    kinds = [f"- {KINDS[kind].to(lang)}: **{number(count)}**" for kind, count in planned.kinds.items()]
    parts = [f"# {PREVIEW.to(lang)}", NOTHING_SENT.to(lang), "\n".join(kinds) or NOTHING_DUE.to(lang)]
    parts += [reasons_held(planned, lang)] if planned.held else []
    return "\n\n".join(parts)


def reasons_held(planned: Planned, lang: Lang) -> str:
    return WOULD_WAIT.fill(count=number(planned.held)).to(lang) + "\n\n" + reasons(planned.reasons, lang)


def plan_page(plan: Mapping[str, Any], lang: Lang) -> str:
    """A held plan for the person who decides: how much, why it waits, and the first changes."""
    where = plain(plan["account"]) or CATALOGUE.to(lang)
    counts = [f"{number(n)} {KINDS[kind].to(lang)}" for kind, n in plan["counts"].items() if kind in KINDS and n]
    parts = [
        f"# {WAITS.fill(plan=plan['id'], where=where).to(lang)}",
        "; ".join(counts),
        reasons(plan["reasons"], lang),
    ]
    if plan["changes"]:
        shown = [list(row.values()) for row in change_rows(plan["changes"][:MOST_SHOWN], lang)]
        parts.append(_grid([head.to(lang) for head in CHANGE_HEADS], shown))
    if plan["expires_at"]:
        parts.append(UNTIL.fill(until=local(plan["expires_at"])).to(lang))
    parts.append(SEAL.fill(digest=plan["digest"][:SHORT]).to(lang))
    return "\n\n".join(part for part in parts if part)


def reasons(found: Iterable[Mapping[str, Any]], lang: Lang) -> str:
    """Why a guard holds something, each with a few examples."""
    lines = []
    for reason in list(found)[:MOST_SHOWN]:
        lines.append(f"- {plain(told(reason, lang))}")
        if reason.get("count") != 1:  # a single one is told by the sentence itself
            lines += [f"  - {_example(example)}" for example in reason.get("examples", [])[:5]]
    return "\n".join(lines)


def plain(text: object) -> str:
    """Text from outside as Markdown shows it literally, on one line."""
    escaped = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", escaped)


def told(value: Any, lang: Lang) -> str:
    """A Text, or the {vi, en} that a report holds."""
    if isinstance(value, Text):
        return value.to(lang)
    return str(value.get(lang, "")) if isinstance(value, Mapping) else str(value)


def _sandbox(accounts: Sequence[AccountReport], lang: Lang) -> str:
    names = [plain(account.account) for account in accounts if account.mode == "sandbox"]
    return f"**{SANDBOX.fill(names=', '.join(names)).to(lang)}**" if names else ""


def _ended(report: RunReport, lang: Lang) -> str:
    at = local(report.finished_at or report.started_at)
    status = STATUS[report.status].to(lang)
    dry = f" **{NOTHING_SENT.to(lang)}**" if report.dry_run else ""
    return ENDED.fill(at=at, status=status).to(lang) + dry


def _accounts(report: RunReport, lang: Lang) -> str:
    rows = [
        [plain(a.account), _mode(a, lang), STATUS[a.status].to(lang), number(a.live), _counts(a, lang)]
        for a in report.accounts
    ]
    columns = 4 if report.dry_run else 5  # a dry run changes nothing: what it would do is in the preview
    return _grid([head.to(lang) for head in ACCOUNT_HEADS[:columns]], (row[:columns] for row in rows))


def _mode(account: AccountReport, lang: Lang) -> str:
    return "**SANDBOX**" if account.mode == "sandbox" else MODES[account.mode].to(lang)


def _counts(account: AccountReport, lang: Lang) -> str:
    done = [f"{number(n)} {COUNTED[name].to(lang)}" for name, n in account.counts.items() if n and name in COUNTED]
    withheld = account.counts["unlistable"]
    done += [WITHHELD_COUNT.fill(count=number(withheld)).to(lang)] if withheld else []
    return ", ".join(done) or NOTHING.to(lang)


def _sources(sources: Sequence[Mapping[str, Any]], lang: Lang) -> str:
    rows = [[plain(s["source"]), _source_status(s, lang), *_source_counts(s), _source_words(s, lang)] for s in sources]
    return f"## {SOURCES.to(lang)}\n\n" + _grid([head.to(lang) for head in SOURCE_HEADS], rows)


def _source_status(source: Mapping[str, Any], lang: Lang) -> str:
    status = source["status"]
    return STATUS[status].to(lang) if status in STATUS else plain(status)


def _source_counts(source: Mapping[str, Any]) -> list[str]:
    if source["status"] == "unchanged":  # not read again
        return ["–"] * 5
    return [number(source[name]) for name in ("rows", "new", "changed", "removed")] + [number(len(source["set_aside"]))]


def _source_words(source: Mapping[str, Any], lang: Lang) -> str:
    words = [told(source[name], lang) for name in ("message", "next_step") if source.get(name)]
    return plain(" ".join(words)) or "–"


def _withheld(account: AccountReport, lang: Lang) -> str:
    """Why items are not shown, the commonest reason first, each with what to do about it."""
    if not account.withheld:
        return ""
    advice = {p["code"]: told(p["next_step"], lang) for p in reversed(account.problems)}
    ordered = sorted(account.withheld.items(), key=lambda pair: -pair[1])
    rows = [[_reason(code, lang), number(count), plain(advice.get(code, "–"))] for code, count in ordered]
    title = WITHHELD.fill(name=plain(account.account)).to(lang)
    return f"## {title}\n\n" + _grid([head.to(lang) for head in WITHHELD_HEADS], rows)


def _reason(code: str, lang: Lang) -> str:
    return REASONS[code].to(lang) if code in REASONS else plain(code)


def _plans(plans: Sequence[Mapping[str, Any]], account: str, lang: Lang) -> str:
    parts = []
    for plan in plans:
        head = WAITS.fill(plan=plan["id"], where=plain(account)).to(lang)
        parts.append(f"## {head}\n\n{reasons(plan['reasons'], lang)}\n\n{DECIDE.fill(plan=plan['id']).to(lang)}")
    return "\n\n".join(parts)


def _todo(account: AccountReport, lang: Lang) -> str:
    """What a person has to look at, apart from the withheld items above."""
    rest = [p for p in account.problems if p["code"] not in account.withheld]
    if not rest:
        return ""
    lines = [f"- {_problem_line(problem, lang)}" for problem in rest[:MOST_SHOWN]]
    lines += [MORE.fill(count=number(len(rest) - MOST_SHOWN)).to(lang)] if len(rest) > MOST_SHOWN else []
    return f"## {TODO.fill(name=plain(account.account)).to(lang)}\n\n" + "\n".join(lines)


def _problem_line(problem: Mapping[str, Any], lang: Lang) -> str:
    key = f"**{plain(problem['key'])}**: " if problem["key"] else ""
    return f"{key}{plain(told(problem['message'], lang))} → {plain(told(problem['next_step'], lang))}"


def _example(example: Mapping[str, Any]) -> str:
    name = plain(f"{example.get('sku') or example.get('record', '')} {example.get('name', '')}".strip())
    if example.get("old") is None:
        return name
    return f"{name}: {number(example['old'])} → {number(example['new'])}"


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


# --- tables ---------------------------------------------------------------------------------------------------------


def outcomes(report: RunReport, lang: Lang) -> list[Row]:
    """One row per account with every count."""
    return [
        {
            ACCOUNT_HEADS[0].to(lang): account.account,
            ACCOUNT_HEADS[1].to(lang): "SANDBOX" if account.mode == "sandbox" else MODES[account.mode].to(lang),
            ACCOUNT_HEADS[3].to(lang): number(account.live),
            **{text.to(lang): number(account.counts[name]) for name, text in COUNTED.items()},
            NOT_LISTED.to(lang): number(account.counts["unlistable"]),
        }
        for account in report.accounts
    ]


def problems(report: RunReport, lang: Lang) -> list[Row]:
    """What needs a person, with the next step: listings first, then rows of the sources."""
    rows = [_problem_row(a.account, problem, lang) for a in report.accounts for problem in a.problems]
    rows += [_set_aside_row(row, lang) for source in report.sources for row in source["set_aside"]]
    return rows[:MOST_ROWS]


def _problem_row(account: str, problem: Mapping[str, Any], lang: Lang) -> Row:
    values = (account, problem["key"], problem["next_step"], problem["message"], problem["field"])
    return {head.to(lang): told(value, lang) for head, value in zip(PROBLEM_HEADS, values, strict=True)}


def _set_aside_row(row: Mapping[str, Any], lang: Lang) -> Row:
    place = ROW.fill(row=row["row"]).to(lang)
    values = (row["file"], place, row["next_step"], row["message"], row["column"])
    return {head.to(lang): told(value, lang) for head, value in zip(PROBLEM_HEADS, values, strict=True)}


def change_rows(changes: Iterable[Mapping[str, Any]], lang: Lang) -> list[Row]:
    """Changes as they would be sent, without their content."""
    return [{head.to(lang): value for head, value in zip(CHANGE_HEADS, _change(c, lang), strict=True)} for c in changes]


def _change(change: Mapping[str, Any], lang: Lang) -> tuple[str, ...]:
    price, stock = change["price"], change["stock"]
    return (
        str(change["sku"]),
        KINDS[change["kind"]].to(lang),
        ", ".join(FACET_NAMES[f].to(lang) for f in change["facets"].split(",") if f) or "–",
        "–" if price is None else money(price),
        "–" if stock is None else number(stock),
    )


def _uuid(made: object) -> UUID:
    return made if isinstance(made, UUID) else UUID(str(made))


TITLE = Text("Kết quả lượt chạy", "Result of the run")
OUTCOMES = Text("Số tin theo kết quả", "Listings by outcome")
PROBLEMS = Text("Việc cần người xử lý, kèm cách làm", "What needs a person, with the next step")
PREVIEW = Text("Xem trước", "Preview")
CHANGES = Text("Những thay đổi sẽ gửi", "Changes that would be sent")
NOTHING_SENT = Text("Chạy thử: chưa gửi gì lên sàn.", "Dry run: nothing was sent.")
NOTHING_DUE = Text(
    "Không có gì phải gửi: các sàn đã khớp với danh mục.",
    "Nothing to send: the marketplaces match the catalogue.",
)
WOULD_WAIT = Text(
    "**{count} thay đổi sẽ phải chờ duyệt**, vì:", "**{count} changes would wait for approval**, because:"
)
SANDBOX = Text(
    "SANDBOX – sàn mô phỏng: {names}. Người mua không thấy các tin này.",
    "SANDBOX – simulated: {names}. Buyers do not see these listings.",
)
ENDED = Text("{at}: **{status}**.", "{at}: **{status}**.")
NOTHING = Text("không có thay đổi", "no changes")
NOT_LISTED = Text("không đăng", "withheld")
WITHHELD_COUNT = Text("{count} không đăng", "{count} withheld")
ACCOUNT_HEADS = (
    Text("Tài khoản", "Account"),
    Text("Chế độ", "Mode"),
    Text("Trạng thái", "Status"),
    Text("Đang bán", "Live"),
    Text("Lượt này", "This run"),
)
SOURCES = Text("Nguồn dữ liệu", "Sources")
SOURCE_HEADS = (
    Text("Nguồn", "Source"),
    Text("Trạng thái", "Status"),
    Text("Số dòng", "Rows"),
    Text("Mới", "New"),
    Text("Đổi", "Changed"),
    Text("Bỏ", "Removed"),
    Text("Dòng lỗi", "Set aside"),
    Text("Ghi chú", "Note"),
)
WITHHELD = Text("{name}: vì sao chưa đăng", "{name}: why items are withheld")
WITHHELD_HEADS = (Text("Lý do", "Reason"), Text("Số mặt hàng", "Items"), Text("Cần làm gì", "What to do"))
TODO = Text("{name}: cần xem", "{name}: to look at")
MORE = Text("- … và {count} việc nữa, xem bảng.", "- … and {count} more, see the table.")
CATALOGUE = Text("danh mục", "the catalogue")
WAITS = Text("Kế hoạch {plan} ({where}) chờ duyệt", "Plan {plan} ({where}) waits for approval")
SEAL = Text(
    "Mã của kế hoạch: `{digest}`. Chỉ đúng những thay đổi này được gửi.",
    "Code of this plan: `{digest}`. Exactly these changes are sent.",
)
UNTIL = Text("Trả lời trước **{until}**; sau đó kế hoạch hết hạn.", "Answer before **{until}**; then the plan expires.")
DECIDE = Text(
    "→ Mở lượt chạy **review-plan-{plan}**, bấm ⋮ → *Resume* để duyệt hoặc từ chối.",
    "→ Open the run **review-plan-{plan}** and click ⋮ → *Resume* to approve or refuse.",
)
ROW = Text("dòng {row}", "row {row}")
PROBLEM_HEADS = (  # the next step before the reason: the table scrolls sideways
    Text("Nơi", "Where"),
    Text("Mã SKU", "SKU"),
    Text("Cần làm gì", "What to do"),
    Text("Lý do", "Reason"),
    Text("Mục", "Field"),
)
CHANGE_HEADS = (
    Text("Mã SKU", "SKU"),
    Text("Việc", "Change"),
    Text("Phần", "Parts"),
    Text("Giá", "Price"),
    Text("Tồn kho", "Stock"),
)
STAGES = {"push": "đang gửi / sending", "settle": "đợi sàn xác nhận / waiting for the marketplace"}
