"""The command line: each command is a few lines over the steps."""

import gc

gc.disable()  # start-up makes many objects and no rubbish: collecting among them costs a tenth of a second

import getpass
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from connectors.contract import Connector, Seller
from connectors.problems import label
from connectors.registry import connector, foreign, names, usable
from connectors.simulator import Fault
from flows import accounts as shops
from flows import care, views
from flows.connecting import check_connector, new_connector
from flows.screens import EVENTS, KINDS, MODES, ON_DELETED, ON_DRIFT, STATES, STATUS
from flows.speaking import Json, Language, Misused, Voice, command
from flows.steps.account import guarded
from flows.steps.approve import SHORT
from flows.steps.approve import apply as apply_plan
from flows.steps.approve import approve as approve_plan
from flows.steps.approve import refuse as refuse_plan
from flows.steps.approve import show as show_plan
from flows.steps.audit import audit as audit_accounts
from flows.steps.context import Account, Context
from flows.steps.night import UnknownAccount, UnknownSku, begin, choose, each, know, night, resync, until_stopped
from flows.steps.plan import Selection
from flows.steps.pull import SourceReport, add_source, import_file, list_sources, remove_source
from flows.steps.reconcile import reconcile as reconcile_account
from flows.steps.withdraw import withdraw as withdraw_items
from flows.wiring import context_of, open_home
from models import value as values
from models.clock import SystemClock
from models.listing import FACET_NAMES, Listing
from models.migrations import upgrade as upgrade_schema
from models.report import AUTHORISE, DONE, HELD, PEOPLE, REFUSED, USAGE, AccountReport, RunReport
from models.text import Text, day, local, money, number

gc.enable()
CLOCK = SystemClock()
DATE = re.compile(r"\d{4}-\d\d-\d\d")
app = typer.Typer(
    help="Cây Bẹo: giữ sản phẩm OCOP Cà Mau khớp trên mọi sàn. / Keeps OCOP listings in step with every marketplace.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
sources_app = typer.Typer(help="Các nguồn hệ thống đọc mỗi đêm. / What the nightly pull reads.", no_args_is_help=True)
accounts_app = typer.Typer(help="Các gian hàng của mình. / Our shops.", no_args_is_help=True)
sandbox_app = typer.Typer(help="Các sàn mô phỏng. / The simulated marketplaces.", no_args_is_help=True)
connectors_app = typer.Typer(help="Các sàn nối được. / The connectors.", invoke_without_command=True)
db_app = typer.Typer(help="Cơ sở dữ liệu. / The database.", no_args_is_help=True)
app.add_typer(sources_app, name="sources")
app.add_typer(accounts_app, name="accounts")
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(connectors_app, name="connectors")
app.add_typer(db_app, name="db")

AccountNames = Annotated[list[str] | None, typer.Option("--account", "-a", help="Tài khoản; có thể lặp lại.")]
Skus = Annotated[list[str] | None, typer.Option("--sku", "-s", help="Mã SKU; có thể lặp lại.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Chỉ xem, không ghi và không gửi gì.")]
Force = Annotated[bool, typer.Option("--force", help="Gửi lại cả khi không có gì thay đổi.")]
Reason = Annotated[str, typer.Option("--reason", help="Lý do, ghi vào sổ.")]


# --- the nightly work -------------------------------------------------------------------------------------------------


@app.command("nightly")
@command
def nightly(voice: Voice, account: AccountNames = None, dry_run: DryRun = False) -> int:
    """Đọc nguồn rồi đồng bộ mọi tài khoản một lần. / Pull, then sync every account once."""
    with _working(voice) as context:
        report = night(context, tuple(account or ()), dry_run=dry_run)
    return _tell_run(voice, report)


@app.command("sync")
@command
def sync(
    voice: Voice,
    account: AccountNames = None,
    sku: Skus = None,
    failed: Annotated[bool, typer.Option("--failed", help="Chỉ những mặt hàng lần trước chưa gửi được.")] = False,
    force: Force = False,
    dry_run: DryRun = False,
) -> int:
    """Đồng bộ lại ngay. / Resync now."""
    selection = Selection(skus=tuple(sku or ()), failed=failed, force=force)
    with _working(voice) as context:
        report = resync(context, tuple(account or ()), selection, dry_run=dry_run)
    return _tell_run(voice, report)


@app.command("reconcile")
@command
def reconcile(
    voice: Voice,
    account: AccountNames = None,
    heal: Annotated[bool, typer.Option("--heal", help="Gửi lại để đưa sàn về đúng danh mục.")] = False,
) -> int:
    """Đọc lại các sàn và báo chỗ khác danh mục. / Read back, report drift."""
    with _working(voice) as context:
        report, chosen = begin(context, "reconcile"), choose(context, tuple(account or ()))
        each(context, report, chosen, lambda a: reconcile_account(context, a, report.run_id, heal=heal))
    return _tell_run(voice, report)


@app.command("audit")
@command
def audit(voice: Voice, account: AccountNames = None) -> int:
    """So từng tin với danh mục để chắc lịch không bỏ sót gì; chỉ đọc. / Prove that the timetable forgot nothing."""
    with _working(voice) as context:
        report = audit_accounts(context, choose(context, tuple(account or ())))
    document = {"accounts": report.accounts, "forgotten": report.forgotten, "findings": report.findings}
    voice.answer(document, lambda: voice.screen.audit(report))
    return report.code


@app.command("withdraw")
@command
def withdraw(
    voice: Voice,
    sku: Skus = None,
    reason: Reason = "",
    undo: Annotated[bool, typer.Option("--undo", help="Cho bán lại.")] = False,
) -> int:
    """Gỡ mặt hàng khỏi mọi sàn ngay. / Take items down everywhere, at once."""
    if not sku or not reason:
        raise Misused(Text("Cần --sku và --reason.", "--sku and --reason are needed."))
    with _working(voice) as context:
        report = withdraw_items(context, tuple(sku), reason, _who(), undo=undo)
    return _tell_run(voice, report)


# --- the catalogue ----------------------------------------------------------------------------------------------------


@app.command("import")
@command
def import_(
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="Tệp CSV hoặc xlsx.")],
    dry_run: DryRun = False,
    sheet: Annotated[str, typer.Option("--sheet", help="Tên trang tính.")] = "",
    encoding: Annotated[str, typer.Option("--encoding", help="Bảng mã, mặc định UTF-8.")] = "",
) -> int:
    """Nhập bảng tính vào danh mục. / Take a spreadsheet into the catalogue."""
    with _working(voice) as context:
        report = import_file(
            context.database, context.home, file, CLOCK,
            sheet=sheet, encoding=encoding, dry_run=dry_run, progress=until_stopped(context),
        )  # fmt: skip

    def show() -> None:
        voice.screen.source(report)
        if dry_run:
            voice.screen.say(DRY)

    voice.answer(report, show)
    return _source_code(report)


@sources_app.command("add")
@command
def sources_add(
    voice: Voice,
    location: Annotated[list[str], typer.Argument(help="Tệp, thư mục hoặc địa chỉ cơ sở dữ liệu.")],
    query: Annotated[str, typer.Option("--query", help="Câu SQL, khi nguồn là cơ sở dữ liệu.")] = "",
    sheet: Annotated[str, typer.Option("--sheet", help="Tên trang tính.")] = "",
    encoding: Annotated[str, typer.Option("--encoding", help="Bảng mã, mặc định UTF-8.")] = "",
) -> int:
    """Đăng ký nguồn. / Register sources."""
    database = open_home(voice.settings)
    added = [add_source(database, one, CLOCK, query=query, sheet=sheet, encoding=encoding) for one in location]
    done = ", ".join(added)
    voice.answer(
        {"sources": added}, lambda: voice.screen.say(Text(f"Đã đăng ký nguồn: {done}.", f"Registered: {done}."))
    )
    return DONE


@sources_app.command("list")
@command
def sources_list(voice: Voice) -> int:
    """Các nguồn đã đăng ký. / Registered sources."""
    rows = [
        dict(row._mapping) if hasattr(row, "_mapping") else vars(row) for row in list_sources(open_home(voice.settings))
    ]
    heads = (
        Text("Nguồn", "source"),
        Text("Địa chỉ", "location"),
        Text("Trạng thái", "status"),
        Text("Đọc lúc", "pulled"),
    )
    cells = [
        (
            r["name"],
            r["location"],
            voice.screen.word(STATUS, r["status"]),
            local(r["pulled_at"]) if r["pulled_at"] else None,
        )
        for r in rows
    ]
    voice.answer({"sources": rows}, lambda: voice.screen.table(heads, cells))
    return DONE


@sources_app.command("remove")
@command
def sources_remove(voice: Voice, name: Annotated[str, typer.Argument(help="Tên nguồn.")]) -> int:
    """Ngừng đọc một nguồn; sản phẩm đã nhập vẫn còn. / Stop reading a source; its products stay."""
    removed = remove_source(open_home(voice.settings), name)
    return _tell_removed(voice, Text(f"nguồn {name}", f"source {name}"), removed=removed, look=SEE_SOURCES)


# --- plans ------------------------------------------------------------------------------------------------------------


@app.command("plan")
@command
def plan(
    voice: Voice,
    what: Annotated[list[str] | None, typer.Argument(help="“show SỐ” để xem lại một kế hoạch.")] = None,
    account: AccountNames = None,
    sku: Skus = None,
    force: Force = False,
) -> int:
    """Cho xem việc sẽ làm, chưa gửi gì. / Show what would be done."""
    with _working(voice) as context:
        if what:
            if what[:-1] not in ([], ["show"]) or not what[-1].isdigit():
                raise Misused(Text("Cách viết: “caybeo plan show SỐ”.", "Write: “caybeo plan show NUMBER”."))
            shown = show_plan(context, int(what[-1]))
            voice.answer(shown, lambda: _show_plan(voice, shown))
            return DONE
        selection = Selection(skus=tuple(sku or ()), force=force)
        know(context, selection.skus)
        plans = [_make_plan(context, one, selection) for one in choose(context, tuple(account or ()))]
    voice.answer({"plans": plans}, lambda: _show_plans(voice, plans))
    return max(p["code"] for p in plans) if plans else DONE


def _show_plan(voice: Voice, shown: dict[str, Any]) -> None:
    """One plan as it stands: why it waits, under which code it is approved, and what it would do."""
    if shown["status"] == "held":
        code = shown["digest"][:SHORT]
        voice.screen.say(Text(f"Mã của kế hoạch: {code}", f"Code of this plan: {code}"))
        voice.screen.plan(shown)
    if shown["changes"]:
        voice.screen.changes(shown)


def _make_plan(context: Context, account: Any, selection: Selection) -> dict[str, Any]:
    made: dict[str, Any] = {
        "account": account.name,
        "plan_id": None,
        "held": 0,
        "changes": [],
        "reasons": [],
        "counts": {},
    }
    with guarded(context, account, context.new_id()) as (run, report):
        if run is not None:
            run.recover()
            planned = run.plan(selection)
            made |= {"plan_id": planned.plan_id, "held": planned.held, "held_id": planned.held_id}
            made |= {"changes": planned.examples, "reasons": planned.reasons, "counts": planned.kinds}
            report.code = HELD if planned.held else report.code
    return made | {"problems": report.problems, "code": report.code}


def _show_plans(voice: Voice, plans: list[dict[str, Any]]) -> None:
    for made in plans:
        if made["plan_id"] is None:
            voice.screen.say(Text(f"{made['account']}: không có gì phải gửi.", f"{made['account']}: nothing to send."))
        else:
            identity = made["plan_id"]
            voice.screen.say(
                Text(f"{made['account']}: kế hoạch {identity}", f"{made['account']}: plan {identity}"), style="bold"
            )
            voice.screen.changes(made)
            if made["held"]:
                voice.screen.plan({"id": made["held_id"] or identity, "reasons": made["reasons"]})
            else:
                voice.screen.say(Text(f"  → Gửi: “caybeo apply {identity}”.", f"  → Send: “caybeo apply {identity}”."))
        for problem in made["problems"]:
            voice.screen.problem(problem)


@app.command("apply")
@command
def apply(voice: Voice, plan_id: Annotated[int, typer.Argument(help="Số kế hoạch.")]) -> int:
    """Làm đúng kế hoạch đã xem. / Do that very plan."""
    with _working(voice) as context:
        report = apply_plan(context, plan_id)
    return _tell_run(voice, report)


@app.command("approve")
@command
def approve(
    voice: Voice,
    plan_id: Annotated[int, typer.Argument(help="Số kế hoạch đang chờ.")],
    reason: Reason = "",
    refuse: Annotated[bool, typer.Option("--refuse", help="Không cho gửi.")] = False,
    digest: Annotated[
        str, typer.Option("--digest", help="Chỉ duyệt nếu kế hoạch còn đúng mã này (ít nhất 8 ký tự).")
    ] = "",
) -> int:
    """Duyệt một kế hoạch đang chờ và thực hiện luôn. / Let a held plan through and carry it out."""
    with _working(voice) as context:
        shown = show_plan(context, plan_id)
        if shown["status"] == "held" and not voice.json:
            voice.screen.approval(shown)
        if refuse:
            refuse_plan(context, plan_id, _who(), reason)
            text = Text(f"Đã từ chối kế hoạch {plan_id}; không gửi gì.", f"Refused plan {plan_id}; nothing is sent.")
            voice.answer({"plan_id": plan_id, "status": "refused"}, lambda: voice.screen.say(text))
            return DONE
        report = approve_plan(context, plan_id, _who(), reason, digest=digest or shown["digest"])
        if isinstance(report, RunReport):
            return _tell_run(voice, report)
        voice.screen.source(report) if not voice.json else None
        run = resync(context, trigger=f"plan {plan_id}")
    return _tell_run(voice, run)


# --- looking ----------------------------------------------------------------------------------------------------------


@app.command("status")
@command
def status(voice: Voice) -> int:
    """Đang bán gì, còn chờ gì. / What is live and what waits."""
    database = open_home(voice.settings)
    document = views.status(database, shops.accounts(voice.settings, database), CLOCK)
    voice.answer(document, lambda: voice.screen.status(document))
    return DONE


@app.command("timeline")
@command
def timeline(voice: Voice, sku: Annotated[str, typer.Argument(help="Mã SKU.")]) -> int:
    """Mọi chuyện đã xảy ra với một mặt hàng. / Everything that happened to one SKU."""
    found = views.timeline(open_home(voice.settings), sku)
    if found is None:
        raise UnknownSku(sku)
    voice.answer(found, lambda: _show_timeline(voice, found))
    return DONE


def _show_timeline(voice: Voice, found: dict[str, Any]) -> None:
    screen = voice.screen
    screen.say(Text(f"{found['sku']} – {found['product']}", f"{found['sku']} – {found['product']}"), style="bold")
    for event in found["events"]:
        told = EVENTS[event["event"]].to(voice.lang) if event["event"] in EVENTS else event["event"]
        where = (f" {event['account']}", "cyan") if event["account"] else ""
        screen.line(local(event["at"]), where, f" {told}{_detail(voice, event['detail'])}")
    heads = Text("Tài khoản", "account"), Text("Trạng thái", "status"), Text("Giá", "price"), Text("Tồn", "stock")
    rows = [
        (
            a["account"],
            voice.screen.outcome(a["outcome"]),
            money(a["price"]) if a["price"] is not None else None,
            a["stock"],
        )
        for a in found["accounts"]
    ]
    screen.table(heads, rows)


def _detail(voice: Voice, detail: dict[str, Any] | None) -> str:
    """The few words of an event's detail that a person wants to read."""
    if not detail:
        return ""
    if "message" in detail:
        return f": {voice.screen.told(detail['message'])}"
    if "changes" in detail and isinstance(detail["changes"], dict):
        named = ((label(name).to(voice.lang), old, new) for name, (old, new) in detail["changes"].items())
        moved = "; ".join(f"{name} {_plainly(voice, old)} → {_plainly(voice, new)}" for name, old, new in named)
        return f" ({detail['source']}): {moved}"
    if detail.get("kind") in KINDS:
        price = f", {money(detail['price'])}" if detail.get("price") is not None else ""
        facets = ", ".join(FACET_NAMES[f].to(voice.lang) for f in (detail.get("facets") or "").split(",") if f)
        return f": {KINDS[detail['kind']].to(voice.lang)}{f' ({facets})' if facets else ''}{price}"
    return f": {detail['reason']}" if detail.get("reason") else ""


def _plainly(voice: Voice, value: Any) -> str:
    """A recorded value as people write it."""
    if isinstance(value, bool):
        return (Text("có", "yes") if value else Text("không", "no")).to(voice.lang)
    if value in (None, "", []):
        return "–"
    if str(value).isdigit():
        return number(int(value))
    return day(date.fromisoformat(value)) if DATE.fullmatch(str(value)) else str(value)


@app.command("ledger")
@command
def ledger(
    voice: Voice,
    account: Annotated[str, typer.Option("--account", "-a", help="Chỉ tài khoản này.")] = "",
    sku: Annotated[str, typer.Option("--sku", "-s", help="Chỉ mã SKU này.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Số dòng.")] = 100,
) -> int:
    """Sổ những việc đã xảy ra, mới nhất trước. / What happened, newest first."""
    lines = views.ledger(open_home(voice.settings), account, sku, limit)
    heads = Text("Lúc", "at"), Text("Tài khoản", "account"), Text("SKU", "SKU"), Text("Việc", "event")
    rows = [
        (local(r["at"]), r["account"], r["sku"], EVENTS.get(r["event"], Text(r["event"], r["event"])).to(voice.lang))
        for r in lines
    ]
    voice.answer({"ledger": lines}, lambda: voice.screen.table(heads, rows))
    return DONE


@app.command("quarantine")
@command
def quarantine(voice: Voice, account: Annotated[str, typer.Option("--account", "-a")] = "") -> int:
    """Những mặt hàng chưa gửi được và việc cần làm. / What did not succeed and the next step."""
    rows = views.quarantine(open_home(voice.settings), account)

    def show() -> None:
        for row in rows:
            outcome = voice.screen.outcome(row["outcome"])
            voice.screen.line((row["sku"], "bold"), f" {row['account']}: {outcome}")
            for problem in row["problems"]:
                voice.screen.problem({"key": "", **problem})
        if not rows:
            voice.screen.say(Text("Không có mặt hàng nào cần xem.", "Nothing needs a person."))

    voice.answer({"quarantine": rows}, show)
    return DONE


@app.command("oddities")
@command
def oddities(voice: Voice, account: Annotated[str, typer.Option("--account", "-a")] = "") -> int:
    """Những gì sàn trả lời mà hệ thống chưa biết. / What marketplaces answered that is not known yet."""
    rows = views.oddities(open_home(voice.settings), account)
    heads = Text("Tài khoản", "account"), Text("Lệnh", "call"), Text("Điều lạ", "what"), Text("Số lần", "times")
    more = (Text("Lần cuối", "last"),)
    cells = [(r["account"], r["operation"], r["name"], number(r["times"]), local(r["last_at"])) for r in rows]
    voice.answer({"oddities": rows}, lambda: voice.screen.table((*heads, *more), cells))
    return DONE


@app.command("preview")
@command
def preview(
    voice: Voice,
    sku: Annotated[str, typer.Argument(help="Mã SKU.")],
    account: Annotated[str, typer.Option("--account", "-a", help="Tài khoản.")],
    ask: Annotated[bool, typer.Option("--ask", help="Hỏi luôn sàn; sàn không lưu gì. Chỉ với sàn cho hỏi.")] = False,
) -> int:
    """Xem đúng những gì sẽ gửi và mọi vướng mắc; không gửi. / The exact payload and all problems, not sent."""
    with _working(voice) as context:
        chosen = choose(context, (account,))[0]
        if ask and not chosen.connector.capabilities.preview:
            raise Misused(NO_OPINION.fill(marketplace=chosen.connector.title))
        found = views.preview(context.database, chosen, sku, CLOCK)
        if found is None:
            raise UnknownSku(sku)
        if ask and found["listable"]:
            found |= _opinion(context, chosen, Listing(key=sku, facets=found["payload"]))
    voice.answer(found, lambda: _show_preview(voice, found))
    return int(found.get("code", DONE)) if found["listable"] else PEOPLE


def _opinion(context: Context, account: Account, listing: Listing) -> dict[str, Any]:
    """What the marketplace itself says, or why it could not be asked."""
    asked, problem = False, None
    with guarded(context, account, context.new_id()) as (run, report):
        if run is not None:
            problem = run.opinion(listing)
            asked, report.code = True, PEOPLE if problem else report.code
    return {"asked": asked, "opinion": problem, "stopped": report.problems, "code": report.code}


def _show_preview(voice: Voice, found: dict[str, Any]) -> None:
    screen = voice.screen
    screen.console.print_json(data=voice.plain(found["payload"]), ensure_ascii=False)
    for problem in (*found["problems"], *found["notes"]):
        screen.problem({"key": "", **values.asdict(problem)})
    for problem in found.get("stopped", ()):
        screen.problem(problem)
    if found.get("opinion"):
        screen.say(WOULD_REFUSE, style="bold")
        screen.problem({"key": "", **values.asdict(found["opinion"])})
    elif found.get("asked"):
        screen.say(WOULD_TAKE, style="bold")


NO_OPINION = Text(
    "{marketplace} không cho hỏi trước; bỏ “--ask” để xem những gì sẽ gửi.",
    "{marketplace} cannot be asked; leave “--ask” out to see what would be sent.",
)
WOULD_REFUSE = Text("Sàn nói sẽ từ chối tin này:", "The marketplace says that it would refuse this:")
WOULD_TAKE = Text(
    "Sàn nói sẽ nhận tin này; chưa có gì được đăng.",
    "The marketplace says that it would take this; nothing was listed.",
)


# --- accounts and connectors ------------------------------------------------------------------------------------------


@accounts_app.command("add")
@command
def accounts_add(
    voice: Voice,
    name: Annotated[str, typer.Argument(help="Tên gọi của gian hàng.")],
    marketplace: Annotated[str, typer.Option("--marketplace", "-m", help="Tên sàn, xem “caybeo connectors”.")],
    base_url: Annotated[str, typer.Option("--base-url", help="Địa chỉ máy chủ do sàn cung cấp.")] = "",
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Gian hàng thử, được nhận giá minh họa.")] = False,
    age_gate: Annotated[
        bool, typer.Option("--age-gate", help="Sàn chặn người dưới 18 tuổi và không nhận tiền mặt.")
    ] = False,
    mode: Annotated[str, typer.Option("--mode", help="api, file hoặc dormant.")] = "",
    per_minute: Annotated[
        int, typer.Option("--per-minute", min=0, help="Số yêu cầu mỗi phút sàn đã đồng ý; 0 = mức mặc định.")
    ] = 0,
    env: Annotated[list[str] | None, typer.Option("--env", help="TRƯỜNG=TÊN_BIẾN: lấy từ biến môi trường.")] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Đọc thông tin đăng nhập (JSON) từ stdin.")] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Không hỏi sàn ngay, ví dụ khi chưa có mạng.")] = False,
) -> int:
    """Nối một gian hàng thật, và hỏi sàn ngay (chỉ đọc). / Connect a real shop, and ask it at once (read-only)."""
    database = open_home(voice.settings)
    found = connector(marketplace, voice.settings.allowed)
    if mode and mode not in found.modes:
        raise Misused(
            Text(f"Chế độ phải là: {', '.join(found.modes)}.", f"The mode must be: {', '.join(found.modes)}.")
        )
    secrets = _credentials(found, env or [], stdin=stdin)
    row = shops.add(
        voice.settings, database, CLOCK, name, marketplace, secrets,
        base_url=base_url, sandbox=sandbox, age_gate=age_gate, mode=mode, per_minute=per_minute,
    )  # fmt: skip
    chosen = MODES["sandbox" if row.mode == "api" and row.sandbox else "live" if row.mode == "api" else row.mode]
    note = found.live_note if row.mode == "dormant" else None
    seller, report = (None, None) if no_check or row.mode != "api" else _asked(voice, name)

    def show() -> None:
        voice.screen.say(Text(f"Đã lưu gian hàng {name} ({chosen.vi}).", f"Saved {name} ({chosen.en})."))
        if note:
            voice.screen.say(note)
        if report:
            _show_check(voice, name, seller, report)
        else:
            voice.screen.say(
                Text(f"→ Kiểm tra: “caybeo accounts check {name}”.", f"→ Check it: “caybeo accounts check {name}”.")
            )

    document = {"account": name, "marketplace": marketplace, "mode": row.mode, "sandbox": row.sandbox, "note": note}
    document |= {"ok": bool(seller) if report else None, "problems": report.problems if report else []}
    voice.answer(document, show)
    return report.code if report and report.code in (USAGE, AUTHORISE) else DONE


def _asked(voice: Voice, name: str) -> tuple[Seller | None, AccountReport]:
    """Who the marketplace says the account is; without an answer the report says why."""
    with _working(voice) as context:
        chosen, seller = choose(context, (name,))[0], None
        with guarded(context, chosen, context.new_id()) as (run, report):
            if run is not None:
                seller = run.known()
    return seller, report


def _show_check(voice: Voice, name: str, seller: Seller | None, report: AccountReport) -> None:
    if seller:
        voice.screen.say(Text(f"{name}: kết nối tốt, gian hàng “{seller}”.", f"{name}: connected, shop “{seller}”."))
    for problem in report.problems:
        voice.screen.problem(problem)


def _credentials(found: Connector, env: list[str], *, stdin: bool) -> dict[str, str]:
    """The fields of the connector's credentials model, never from the command line itself."""
    if stdin:
        return _piped()
    named = dict(pair.partition("=")[::2] for pair in env)
    fields = found.credentials.model_fields
    strange = ["=".join(pair) for pair in named.items() if pair[0] not in fields or pair[1] not in os.environ]
    if strange:
        raise Misused(NOT_GIVEN.fill(strange=", ".join(strange), fields=", ".join(fields)))
    given = {field: os.environ[variable] for field, variable in named.items()}
    for field, info in fields.items():
        if field not in given and (info.is_required() or not named):
            given[field] = _ask(field, info)
    return {field: value for field, value in given.items() if value or fields[field].is_required()}


def _piped() -> dict[str, str]:
    try:
        said = json.load(sys.stdin)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Misused(NO_OBJECT)
    return {str(name): str(value) for name, value in said.items() if value is not None}


def _ask(field: str, info: FieldInfo) -> str:
    """A secret is not shown while it is typed; what is not required may be left out with Enter."""
    secret = SecretStr in (info.annotation, *get_args(info.annotation))
    if info.is_required():
        return str(typer.prompt(field, hide_input=secret))
    return str(typer.prompt(f"{field} (Enter: bỏ qua / skip)", default="", show_default=False, hide_input=secret))


@accounts_app.command("list")
@command
def accounts_list(voice: Voice) -> int:
    """Các gian hàng đang chạy. / The accounts that run."""
    database = open_home(voice.settings)
    rows: list[dict[str, Any]] = [
        {
            "account": a.name,
            "marketplace": a.connector.name,
            "mode": a.shown_mode,
            "base_url": a.base_url,
            "policy": a.policy,
        }
        for a in shops.accounts(voice.settings, database)
    ]
    heads = (
        Text("Tài khoản", "account"),
        Text("Sàn", "marketplace"),
        Text("Chế độ", "mode"),
        Text("Địa chỉ", "address"),
        Text("Khi bị sửa trên sàn", "when edited there"),
    )
    cells = [
        (
            r["account"],
            r["marketplace"],
            MODES[r["mode"]].to(voice.lang),
            r["base_url"],
            voice.screen.on_drift(r["policy"]),
        )
        for r in rows
    ]
    voice.answer({"accounts": rows}, lambda: voice.screen.table(heads, cells))
    return DONE


@accounts_app.command("policy")
@command
def accounts_policy(
    voice: Voice,
    name: Annotated[str, typer.Argument(help="Tên gian hàng.")],
    drift: Annotated[
        list[str] | None,
        typer.Option("--drift", help="PHẦN=CÁCH: content, price, stock, images = report, heal, adopt, ignore."),
    ] = None,
    deleted: Annotated[str, typer.Option("--deleted", help="Tin bị xóa trên sàn: ask, recreate, leave.")] = "",
) -> int:
    """Xem hoặc đặt cách xử lý khi tin bị sửa, bị xóa trên sàn. / What happens to listings edited or deleted there."""
    rules = _rules(drift or [], deleted)
    policy = shops.settle_drift(open_home(voice.settings), name, rules, deleted)
    if policy is None:
        raise UnknownAccount(name)
    told = voice.screen.on_drift(policy)
    document = {"account": name, "drift": policy.drift, "deleted": policy.deleted}
    voice.answer(document, lambda: voice.screen.say(Text(f"{name} – {told}", f"{name} – {told}")))
    return DONE


def _rules(given: list[str], deleted: str) -> dict[str, str]:
    rules = dict(pair.partition("=")[::2] for pair in given)
    wrong = [f"{facet}={rule}" for facet, rule in rules.items() if facet not in FACET_NAMES or rule not in ON_DRIFT]
    wrong += [deleted] if deleted and deleted not in ON_DELETED else []
    if wrong:
        raise Misused(
            Text(f"Không hiểu: {', '.join(wrong)}. Ví dụ: --drift price=heal --deleted recreate.",
                 f"Not understood: {', '.join(wrong)}. For example: --drift price=heal --deleted recreate.")
        )  # fmt: skip
    return rules


@accounts_app.command("rate")
@command
def accounts_rate(
    voice: Voice,
    name: Annotated[str, typer.Argument(help="Tên gian hàng.")],
    currency: Annotated[str, typer.Option("--currency", help="Loại tiền của gian hàng, ví dụ USD.")],
    rate: Annotated[str, typer.Option("--rate", help="Một đơn vị tiền đó bằng bao nhiêu đồng, ví dụ 26.000.")],
    sure: Annotated[bool, typer.Option("--sure", help="Số đúng dù khác xa mức quen thuộc.")] = False,
) -> int:
    """Đặt tỷ giá của một gian hàng bán ra nước ngoài. / What the currency of a shop abroad is worth."""
    database, worth = open_home(voice.settings), _worth(rate)
    if name not in [a.name for a in shops.accounts(voice.settings, database)]:
        raise UnknownAccount(name)
    policy = shops.settle_rate(voice.settings, database, CLOCK, name, currency.upper(), worth, sure=sure)
    told = f"{name}: 1 {policy.currency} = {money(worth)}"
    document = {"account": name, "currency": policy.currency, "rate": str(worth)}
    voice.answer(document, lambda: voice.screen.say(Text(told, told)))
    return DONE


def _worth(said: str) -> Decimal:
    """26.000 and 26000 are the same, 168,45 has decimals: as people write numbers here."""
    plain = said.replace(" ", "")
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?|[0-9]+(,[0-9]+)?", plain):
        plain = plain.replace(".", "").replace(",", ".")
    try:
        worth = Decimal(plain)
    except InvalidOperation:
        worth = Decimal(0)
    if not worth.is_finite() or worth <= 0:
        raise Misused(
            Text(f"Không hiểu tỷ giá “{said}”. Ví dụ: --rate 26.000.", f"No rate: “{said}”. Try --rate 26000.")
        )
    return worth


@accounts_app.command("check")
@command
def accounts_check(voice: Voice, name: Annotated[str, typer.Argument()]) -> int:
    """Hỏi sàn xem thông tin đăng nhập còn dùng được không (chỉ đọc). / Read-only check of the credentials."""
    seller, report = _asked(voice, name)
    document = {"account": name, "ok": bool(seller), "seller": str(seller or ""), "problems": report.problems}
    voice.answer(document, lambda: _show_check(voice, name, seller, report))
    return report.code


@accounts_app.command("remove")
@command
def accounts_remove(voice: Voice, name: Annotated[str, typer.Argument()]) -> int:
    """Xóa khai báo một gian hàng; tin trên sàn vẫn còn. / Forget a shop; its listings stay."""
    removed = shops.remove(open_home(voice.settings), CLOCK, name)
    return _tell_removed(voice, Text(f"gian hàng {name}", f"account {name}"), removed=removed, look=SEE_ACCOUNTS)


@connectors_app.callback()
def connectors_or(context: typer.Context, json_: Json = False, lang: Language = "") -> None:
    """Các sàn nối được và khả năng của từng sàn. / Connectors and what each can do."""
    if context.invoked_subcommand is None:
        connectors(json_=json_, lang=lang)


@connectors_app.command("check")
@command
def connectors_check(voice: Voice, name: Annotated[str, typer.Argument(help="Tên sàn.")]) -> int:
    """Chạy bộ kiểm trên sàn mô phỏng của chính nó. / Run the conformance kit on its own simulator."""
    return check_connector(voice, connector(name, voice.settings.allowed))


@connectors_app.command("new")
@command
def connectors_new(voice: Voice, name: Annotated[str, typer.Argument(help="Tên sàn mới.")]) -> int:
    """Viết khung một bộ nối mới, chạy được ngay. / Write a new connector that passes the kit at once."""
    return new_connector(voice, name)


@command
def connectors(voice: Voice) -> int:
    ready = usable(voice.settings.allowed)
    rows = [_described(connector(name, voice.settings.allowed)) for name in ready]
    rows += [
        {"name": e.name, "title": e.value, "foreign": True, "allowed": False} for e in foreign() if e.name not in ready
    ]
    heads = Text("Sàn", "name"), Text("Tên đầy đủ", "title"), Text("Lớp an toàn", "safety"), Text("Khả năng", "can")
    cells = [(r["name"], r["title"], r.get("safety", "?"), ", ".join(r.get("can", []))) for r in rows]
    voice.answer({"connectors": rows}, lambda: voice.screen.table(heads, cells))
    return DONE


def _described(found: Connector) -> dict[str, Any]:
    capabilities = asdict(found.capabilities)
    return {
        "name": found.name,
        "title": found.title,
        "safety": found.safety,
        "modes": found.modes,
        "live_mode": found.live_mode,
        "live_note": found.live_note,
        "capabilities": capabilities,
        "can": [name for name, value in capabilities.items() if value is True],
        "foreign": found.name not in names(),
        "allowed": True,
    }


# --- sandbox ----------------------------------------------------------------------------------------------------------


@sandbox_app.command("show")
@command
def sandbox_show(
    voice: Voice,
    marketplace: Annotated[str, typer.Argument(help="Tên sàn.")],
    log: Annotated[bool, typer.Option("--log", help="Kèm nhật ký các yêu cầu.")] = False,
) -> int:
    """Sàn mô phỏng đang có gì. / What the simulated marketplace holds."""
    sandbox = shops.sandbox_of(voice.settings, marketplace)
    shown = sandbox.show() | ({"log": sandbox.log()} if log else {})
    heads = (
        Text("Mã", "key"),
        Text("Tên", "title"),
        Text("Giá", "price"),
        Text("Tồn", "stock"),
        Text("Trạng thái", "status"),
    )
    cells = [
        (
            one["key"],
            one["title"],
            money(Decimal(str(one["price"])), one["currency"]),
            one["stock"],
            voice.screen.word(STATES, one["status"]),
        )
        for one in shown["listings"]
    ]
    voice.answer(shown, lambda: voice.screen.table(heads, cells))
    return DONE


@sandbox_app.command("reset")
@command
def sandbox_reset(
    voice: Voice, marketplace: Annotated[list[str] | None, typer.Argument(help="Tên sàn; trống = tất cả.")] = None
) -> int:
    """Làm trống sàn mô phỏng; lần chạy sau đăng lại từ đầu. / Empty the sandbox and begin anew."""
    database = open_home(voice.settings)
    chosen = marketplace or list(usable(voice.settings.allowed))
    begun = [a for name in chosen for a in care.reset_sandbox(voice.settings, database, name, CLOCK)]
    done = ", ".join(begun)
    voice.answer(
        {"reset": chosen, "accounts": begun},
        lambda: voice.screen.say(Text(f"Đã làm trống: {done}.", f"Emptied: {done}.")),
    )
    return DONE


@sandbox_app.command("fault")
@command
def sandbox_fault(
    voice: Voice,
    marketplace: Annotated[str, typer.Argument(help="Tên sàn.")],
    status: Annotated[int | None, typer.Option("--status", min=400, max=599, help="Trả mã HTTP này.")] = None,
    times: Annotated[int, typer.Option("--times", min=1, help="Bao nhiêu yêu cầu.")] = 1,
    drop: Annotated[bool, typer.Option("--drop", help="Xử lý yêu cầu nhưng không trả lời.")] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="Trả lời chậm bấy nhiêu giây.")] = 0.0,
) -> int:
    """Giả lập sự cố trên sàn mô phỏng. / Make the simulated marketplace fail."""
    fault = Fault(times=times, status=status, drop=drop, seconds=seconds)
    shops.sandbox_of(voice.settings, marketplace).fault(fault)
    text = Text(
        f"{number(times)} yêu cầu tiếp theo gửi đến {marketplace} sẽ gặp sự cố.",
        f"The next {times} requests fail.",
    )
    voice.answer({"marketplace": marketplace, "fault": fault}, lambda: voice.screen.say(text))
    return DONE


@sandbox_app.command("serve")
@command
def sandbox_serve(voice: Voice, port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8800) -> int:
    """Chạy các sàn mô phỏng qua HTTP, kèm trang xem hàng. / Serve them over HTTP with a shop window."""
    import uvicorn

    from connectors.server import application

    sandboxes = {name: shops.sandbox_of(voice.settings, name) for name in usable(voice.settings.allowed)}
    voice.screen.say(
        Text(f"Xem hàng: http://127.0.0.1:{port}/  (Ctrl-C để dừng)", f"Look: http://127.0.0.1:{port}/  (Ctrl-C ends)")
    )
    uvicorn.run(
        application(sandboxes, voice.settings.home / "media"), host="127.0.0.1", port=port, log_level="critical"
    )
    return DONE


# --- care -------------------------------------------------------------------------------------------------------------


@app.command("up")
@command
def up(voice: Voice, port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 4200) -> int:
    """Chạy máy chủ Prefect, lịch đêm và giao diện. / Run the Prefect server, schedules and UI."""
    from flows.up import up as run_all

    open_home(voice.settings)
    return run_all(voice.settings, port)


@app.command("doctor")
@command
def doctor(voice: Voice) -> int:
    """Kiểm tra sức khỏe hệ thống. / Health check."""
    findings = care.examine(voice.settings, open_home(voice.settings))
    heads = Text("Mục", "check"), Text("Kết quả", "result"), Text("Chi tiết", "detail")
    cells = [(f["name"], "✓" if f["ok"] else "✗", f["message"]) for f in findings]
    voice.answer({"checks": findings}, lambda: voice.screen.table(heads, cells))
    return DONE if all(f["ok"] for f in findings) else USAGE


@db_app.command("upgrade")
@command
def db_upgrade(voice: Voice) -> int:
    """Đưa cơ sở dữ liệu lên phiên bản này. / Bring the schema to this version."""
    upgrade_schema(open_home(voice.settings))
    voice.answer(
        {"ok": True}, lambda: voice.screen.say(Text("Cơ sở dữ liệu đã ở phiên bản mới nhất.", "The schema is current."))
    )
    return DONE


@db_app.command("backup")
@command
def db_backup(voice: Voice, file: Annotated[Path, typer.Argument(help="Tệp đích.")]) -> int:
    """Sao lưu khi đang chạy. / Back up while in use."""
    open_home(voice.settings)
    care.backup(voice.settings, file)
    voice.answer(
        {"file": str(file)}, lambda: voice.screen.say(Text(f"Đã sao lưu vào {file}.", f"Backed up to {file}."))
    )
    return DONE


@db_app.command("restore")
@command
def db_restore(voice: Voice, file: Annotated[Path, typer.Argument(help="Bản sao lưu.")]) -> int:
    """Khôi phục; sau đó phải đọc lại mọi sàn. / Restore; every account must then be read back."""
    if not file.is_file():
        raise Misused(Text(f"Không có tệp {file}.", f"There is no file {file}."))
    care.restore(voice.settings, file)
    text = Text(
        "Đã khôi phục. Chạy “caybeo reconcile” trước khi gửi gì.",
        "Restored. Run “caybeo reconcile” before anything is sent.",
    )
    voice.answer({"restored": str(file)}, lambda: voice.screen.say(text))
    return DONE


@db_app.command("restored")
@command
def db_restored(voice: Voice) -> int:
    """Sau khi tự khôi phục bên ngoài (PostgreSQL): buộc đọc lại mọi sàn. / After a restore made elsewhere."""
    marked = care.mark_restored(open_home(voice.settings))
    text = Text(
        "Đã ghi nhận. Chạy “caybeo reconcile” trước khi gửi gì.",
        "Noted. Run “caybeo reconcile” before anything is sent.",
    )
    voice.answer({"accounts": marked}, lambda: voice.screen.say(text))
    return DONE


# --- shared -----------------------------------------------------------------------------------------------------------


@contextmanager
def _working(voice: Voice) -> Iterator[Context]:
    """The context of a command that may take a while; a progress bar where someone is looking."""
    database = open_home(voice.settings)
    if voice.json or not sys.stdout.isatty():
        with voice.stop.listening():
            yield context_of(voice.settings, database, stop=voice.stop)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with voice.stop.listening(), Progress(*columns, console=voice.screen.console, transient=True) as bars:
        rows: dict[str, Any] = {}

        def told(account: str, stage: str, done: int, total: int) -> None:
            label = f"{account}: {STAGES[stage].to(voice.lang)}"
            task = rows.setdefault(label, None) or bars.add_task(label, total=total)
            rows[label] = task
            bars.update(task, completed=done, total=total)

        yield context_of(voice.settings, database, told, voice.stop)


STAGES = {"push": Text("đang gửi", "sending"), "settle": Text("đợi sàn xác nhận", "waiting for the marketplace")}


def _tell_run(voice: Voice, report: RunReport) -> int:
    voice.answer(report.as_json(), lambda: _show_run(voice, report))
    return report.exit_code


def _show_run(voice: Voice, report: RunReport) -> None:
    for source in report.sources:
        voice.screen.source(msgspec.convert(source, SourceReport))
    voice.screen.run(report)
    if report.dry_run:
        voice.screen.say(DRY)


DRY = Text("Đây là chạy thử: chưa ghi và chưa gửi gì.", "This was a dry run: nothing was written or sent.")


def _source_code(report: SourceReport) -> int:
    return {"refused": REFUSED, "failed": REFUSED, "held": HELD}.get(
        report.status, PEOPLE if report.set_aside else DONE
    )


SEE_SOURCES = Text("→ Xem “caybeo sources list”.", "→ See “caybeo sources list”.")
NOT_GIVEN = Text(
    "--env {strange}: không có trường hoặc biến môi trường đó. Các trường: {fields}.",
    "--env {strange}: there is no such field or environment variable. The fields: {fields}.",
)
NO_OBJECT = Text(
    'Đầu vào chuẩn phải là một đối tượng JSON, ví dụ {"client_id": "…", "client_secret": "…"}.',
    'Standard input must be a JSON object such as {"client_id": "…", "client_secret": "…"}.',
)
SEE_ACCOUNTS = Text("→ Xem “caybeo accounts list”.", "→ See “caybeo accounts list”.")


def _tell_removed(voice: Voice, what: Text, *, removed: bool, look: Text) -> int:
    """What became of a `remove`, and where to look when there was nothing of that name."""

    def show() -> None:
        if removed:
            voice.screen.say(Text(f"Đã bỏ {what.vi}.", f"Removed {what.en}."))
            return
        voice.screen.say(Text(f"Không có {what.vi}.", f"There is no {what.en}."), style="red")
        voice.screen.say(look)

    voice.answer({"removed": removed}, show)
    return DONE if removed else USAGE


def _who() -> str:
    return getpass.getuser()


def main() -> None:
    app(prog_name="caybeo")


if __name__ == "__main__":
    main()
