"""What the command line shows to people: tables and sentences in the chosen language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from connectors.contract import Policy
from flows.steps.approve import SHORT
from flows.steps.audit import AuditReport
from flows.steps.oddities import named
from flows.steps.pull import SourceReport
from models.listing import FACET_NAMES
from models.report import AccountReport, RunReport
from models.text import Lang, Text, local, money, number

STATUS = {
    "new": Text("chưa đọc", "not read yet"),
    "completed": Text("xong", "done"),
    "partly_failed": Text("xong một phần", "partly failed"),
    "held": Text("chờ duyệt", "held"),
    "failed": Text("không chạy được", "failed"),
    "unchanged": Text("không đổi", "unchanged"),
    "taken": Text("đã nhận", "taken in"),
    "refused": Text("bị từ chối", "refused"),
}
FIRST = 20  # changes of a plan that an approval prints
REFUSED = Text("không được duyệt", "refused by a person")
SHOWN, WITHHELD, NOT_YET = Text("đang đăng", "listed"), Text("không đăng", "withheld"), Text("chưa xét", "not yet")
STATES = {
    "live": Text("đang bán", "live"),
    "pending": Text("chờ duyệt", "pending"),
    "rejected": Text("bị từ chối", "rejected"),
    "hidden": Text("đã gỡ", "hidden"),
}
COUNTED = {
    "created": Text("đăng mới", "created"),
    "updated": Text("cập nhật", "updated"),
    "delisted": Text("gỡ", "delisted"),
    "unchanged": Text("giữ nguyên", "unchanged"),
    "accepted": Text("sàn đang xử lý", "being processed"),
    "rejected": Text("sàn từ chối", "rejected"),
    "deferred": Text("gửi lại sau", "deferred"),
    "unknown": Text("chưa rõ kết quả", "unknown"),
    "quarantined": Text("cần người xử lý", "quarantined"),
    "held": Text("chờ duyệt", "held"),
}
REASONS = {
    "alcohol": Text("rượu bia, sàn chưa chặn người dưới 18 tuổi", "alcohol without age gate"),
    "no-price": Text("chưa có giá", "no price"),
    "no-stock": Text("chưa có tồn kho", "no stock figure"),
    "illustrative-price": Text("giá minh họa", "made-up price"),
    "missing-english": Text("chưa có tên và mô tả tiếng Anh", "no English texts"),
    "shelf-life": Text("chưa ghi hạn sử dụng", "no shelf life"),
    "no-rate": Text("chưa có tỷ giá", "no exchange rate"),
    "wrong-currency": Text("sàn không bán bằng loại tiền này", "a currency that is not taken there"),
    "unmapped-category": Text("sàn chưa có ngành hàng phù hợp", "no category"),
    "service": Text("dịch vụ", "service"),
    "removed": Text("không còn trong danh mục", "removed from the catalogue"),
    "withdrawn": Text("đã gỡ theo yêu cầu", "withdrawn"),
    "contact-in-text": Text("văn bản có thông tin liên hệ", "contact data in text"),
    "star-not-shown": Text("đăng không kèm sao OCOP (chứng nhận hết hạn hoặc chưa rõ)", "shown without OCOP star"),
    "old-price": Text("giá lâu chưa xác nhận lại", "price confirmed long ago"),
    "deleted-there": Text("đã bị xóa trên sàn, không tự đăng lại", "deleted there, not made again unasked"),
}
ON_DRIFT = {
    "report": Text("báo", "report"),
    "heal": Text("gửi lại bản của danh mục", "send ours again"),
    "adopt": Text("giữ bản trên sàn", "let theirs stay"),
    "ignore": Text("bỏ qua", "ignore"),
}
ON_DELETED = {
    "ask": Text("hỏi", "ask"),
    "recreate": Text("đăng lại", "list again"),
    "leave": Text("để vậy", "leave it"),
}
SANDBOX = Text("SANDBOX – sàn mô phỏng, không phải sàn thật", "SANDBOX – simulated, not the real marketplace")
MODES = {
    "sandbox": SANDBOX,
    "live": Text("sàn thật", "live"),
    "file": Text("đăng bằng tệp", "by file"),
    "dormant": Text("tạm ngưng", "dormant"),
}


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return number(value) if type(value) is int else str(value)


class Screen:
    """Prints in one language.

    The console reads no markup: what a sheet or a marketplace says may hold brackets.
    """

    def __init__(self, lang: Lang, console: Console) -> None:
        self.lang, self.console = lang, console

    def say(self, text: Text, *, style: str = "") -> None:
        self.console.print(text.to(self.lang), style=style, highlight=False)

    def line(self, *parts: str | tuple[str, str]) -> None:
        """One line of plain and (styled, style) parts."""
        self.console.print(Styled.assemble(*parts), highlight=False)

    def told(self, value: Any) -> str:
        """A Text, or the {vi, en} a report holds, in the chosen language."""
        if isinstance(value, Text):
            return value.to(self.lang)
        if isinstance(value, Mapping):
            return str(value.get(self.lang, ""))
        return str(value)

    def word(self, words: Mapping[str, Text], name: str) -> str:
        return words[name].to(self.lang) if name in words else name

    def outcome(self, name: str) -> str:
        """What became of a listing at the latest look."""
        return self.word(COUNTED | {"listed": SHOWN, "unlistable": WITHHELD, "refused": REFUSED, "": NOT_YET}, name)

    def table(self, heads: Iterable[Text], rows: Iterable[Iterable[Any]]) -> None:
        table = Table(*(head.to(self.lang) for head in heads), header_style="bold")
        for row in rows:
            table.add_row(*map(_cell, row))
        self.console.print(table)

    def on_drift(self, policy: Policy) -> str:
        """What happens to listings that were edited or deleted there, where that is not to report and to ask."""
        parts = [
            f"{FACET_NAMES[facet].to(self.lang)}: {ON_DRIFT[rule].to(self.lang)}"
            for facet, rule in policy.drift.items()
            if rule != "report"
        ]
        if policy.deleted != "ask":
            parts.append(f"{Text('bị xóa', 'deleted').to(self.lang)}: {ON_DELETED[policy.deleted].to(self.lang)}")
        return "; ".join(parts) or ON_DRIFT["report"].to(self.lang)

    def audit(self, report: AuditReport) -> None:
        """Per account how many listings were compared, and what was forgotten."""
        heads = ("Tài khoản", "account"), ("Đã so", "compared"), ("Khớp", "in step"), ("Đến hạn", "due")
        more = ("Đang gửi", "under way"), ("Đang nghỉ", "resting"), ("Bị bỏ sót", "forgotten")
        rows = [
            (a.account, "–", "–", "–", "–", "–", "–")
            if a.quiet
            else (a.account, *map(number, (a.checked, a.equal, a.due, a.under_way, a.resting, a.forgotten)))
            for a in report.accounts
        ]
        self.table([Text(*h) for h in (*heads, *more)], rows)
        for finding in report.findings:
            self.problem(finding | {"key": f"{finding['account']} {finding['key']}"})
        if not report.forgotten:
            self.say(Text("Lịch không bỏ sót gì.", "The timetable has forgotten nothing."))
        elif report.forgotten > len(report.findings):
            more_of = number(report.forgotten - len(report.findings))
            self.say(Text(f"  … và {more_of} mục nữa.", f"  … and {more_of} more."))

    def run(self, report: RunReport) -> None:
        for account in report.accounts:
            self._account(account)
        if report.finished_at:
            took = (report.finished_at - report.started_at).total_seconds()
            status = STATUS[report.status].to(self.lang)
            self.say(
                Text(
                    f"Kết thúc {local(report.finished_at)}: {status} ({number(round(took))} giây).",
                    f"Finished {local(report.finished_at)}: {status} ({round(took)} s).",
                ),
                style="bold",
            )

    def _account(self, account: AccountReport) -> None:
        mode = MODES[account.mode].to(self.lang)
        status = STATUS[account.status].to(self.lang)
        self.line("\n", (account.account, "bold"), f" – {status} ", (f"({mode})", "dim"))
        done = [
            f"{number(n)} {COUNTED[name].to(self.lang)}" for name, n in account.counts.items() if n and name in COUNTED
        ]
        live = Text(f"{number(account.live)} tin đang bán", f"{account.live} listings live").to(self.lang)
        self.line("  " + "; ".join([live, *done]))
        self._reasons(account.notes, Text("trong đó", "of these"))
        self._reasons(account.withheld, Text("không đăng", "withheld"))
        self._problems([p for p in account.problems if p["code"] not in account.withheld])
        for plan in account.plans:
            self.plan(plan)

    def _reasons(self, counts: Mapping[str, int], label: Text) -> None:
        for code, count in sorted(counts.items(), key=lambda pair: -pair[1]):
            reason = REASONS[code].to(self.lang) if code in REASONS else code
            self.line(f"  {label.to(self.lang)}: {number(count)} – {reason}")

    def _problems(self, problems: Sequence[Mapping[str, Any]]) -> None:
        """The same trouble of many items is told once."""
        told: dict[tuple[str, str], list[str]] = {}
        for problem in problems:
            words = self.told(problem["message"]), self.told(problem["next_step"])
            told.setdefault(words, []).append(problem["key"])
        for (message, next_step), keys in list(told.items())[:20]:
            self.problem({"key": self._named([k for k in keys if k]), "message": message, "next_step": next_step})

    def _named(self, keys: Sequence[str]) -> str:
        shown = ", ".join(keys[:3])
        more = Text(f" và {number(len(keys) - 3)} mã khác", f" and {len(keys) - 3} more").to(self.lang)
        return shown + more if len(keys) > 3 else shown

    def problem(self, problem: Mapping[str, Any]) -> None:
        key = f"{problem['key']}: " if problem["key"] else ""
        self.line("  ", ("!", "yellow"), f" {key}{self.told(problem['message'])} → {self.told(problem['next_step'])}")

    def plan(self, plan: Mapping[str, Any]) -> None:
        """A held plan: why it waits, with examples, and how to decide."""
        for reason in plan["reasons"]:
            self.line("  ", ("■", "red"), f" {self.told(reason)}")
            for example in reason.get("examples", [])[:5]:
                self.line(f"      {self._example(example)}")
        self.say(
            Text(
                f"  → Xem: “caybeo plan show {plan['id']}”. Cho gửi: “caybeo approve {plan['id']}”. "
                f"Không cho gửi: “caybeo approve {plan['id']} --refuse --reason …”.",
                f"  → Look: “caybeo plan show {plan['id']}”. Let it through: “caybeo approve {plan['id']}”. "
                f"Refuse: “caybeo approve {plan['id']} --refuse --reason …”.",
            )
        )

    def approval(self, plan: Mapping[str, Any]) -> None:
        """What an approval is about to let through: how much, why it waited, and the first changes."""
        counts = "; ".join(f"{number(n)} {KINDS[k].to(self.lang)}" for k, n in plan["counts"].items() if k in KINDS)
        self.say(APPROVING.fill(plan=plan["id"], digest=plan["digest"][:SHORT], counts=counts or "–"), style="bold")
        for reason in plan["reasons"]:
            self.line("  ", ("■", "red"), f" {self.told(reason)}")
        if plan["changes"]:
            self.changes({"changes": plan["changes"][:FIRST]})
        if len(plan["changes"]) > FIRST:
            more = number(len(plan["changes"]) - FIRST)
            self.say(MORE.fill(count=more, plan=plan["id"]))

    def _example(self, example: Mapping[str, Any]) -> str:
        name = f"{example.get('sku') or example.get('record', '')} {example.get('name', '')}"
        if example.get("old") is None:
            return name
        return f"{name}: {number(example['old'])} → {number(example['new'])}"

    def source(self, report: SourceReport) -> None:
        status = STATUS[report.status].to(self.lang)
        if report.status == "unchanged":
            self.say(Text(f"{report.source}: {status}", f"{report.source}: {status}"))
            return
        self.say(
            Text(
                f"{report.source}: {status} – {number(report.rows)} dòng, {number(report.new)} mới, "
                f"{number(report.changed)} đổi, {number(report.unchanged)} giữ nguyên, {number(report.removed)} bỏ",
                f"{report.source}: {status} – {report.rows} rows, {report.new} new, {report.changed} changed, "
                f"{report.unchanged} unchanged, {report.removed} removed",
            )
        )
        for row in report.set_aside[:50]:
            place = Text(f"dòng {row.row}, cột {row.column}", f"row {row.row}, column {row.column}").to(self.lang)
            told = f"{self.told(row.message)} → {self.told(row.next_step)}"
            self.line("  ", ("!", "yellow"), f" {row.file}, {place}: “{row.value}” – {told}")
        if len(report.set_aside) > 50:
            more = number(len(report.set_aside) - 50)
            self.say(Text(f"  … và {more} lỗi nữa (xem bằng --json).", f"  … and {more} more (see --json)."))
        if report.message:
            self.line((f"  {self.told(report.message)}", "red"))
        if report.next_step:
            self.line(f"  → {self.told(report.next_step)}")

    def status(self, document: Mapping[str, Any]) -> None:
        heads = ("Tài khoản", "account"), ("Chế độ", "mode"), ("Đang bán", "live"), ("Đang xử lý", "pending")
        more = ("Không đăng", "withheld"), ("Chờ duyệt", "held"), ("Bị từ chối", "refused"), ("Xem lại lúc", "next due")
        rows = [
            (
                a["account"],
                self.word(MODES, a["mode"]).partition(" – ")[0],
                number(a["live"]),
                number(a["pending"]),
                number(a["unlistable"]),
                number(a["held"]),
                number(a["quarantined"] + a["rejected"]),
                local(a["next_due"]) if a["next_due"] else None,
            )
            for a in document["accounts"]
        ]
        self.table([Text(*h) for h in (*heads, *more)], rows)
        for account in document["accounts"]:
            if account["lease_holder"]:
                name, holder = account["account"], account["lease_holder"]
                until = local(account["lease_until"])
                self.say(
                    Text(f"{name}: {holder} đang chạy, giữ đến {until}.", f"{name}: run by {holder} until {until}.")
                )
        for account in document["accounts"]:
            for kind, met in account["oddities"].items():
                self.say(ODDITIES[kind].fill(account=account["account"], names=named(met)))
        for plan in document["held_plans"]:
            self.line((f"{Text('Kế hoạch', 'Plan').to(self.lang)} {plan['id']}", "bold"), f" {plan['account']}")
            self.plan(plan)

    def _facets(self, names: str) -> str:
        return ", ".join(FACET_NAMES[name].to(self.lang) for name in names.split(",") if name)

    def changes(self, document: Mapping[str, Any]) -> None:
        heads = (
            Text("Mã SKU", "SKU"),
            Text("Việc", "change"),
            Text("Phần", "facets"),
            Text("Giá", "price"),
            Text("Tồn", "stock"),
        )
        rows = [
            (
                c["sku"],
                KINDS[c["kind"]].to(self.lang),
                self._facets(c["facets"]),
                money(c["price"]) if c["price"] is not None else None,
                c["stock"],
            )
            for c in document["changes"]
        ]
        self.table(heads, rows)


APPROVING = Text("Kế hoạch {plan}, mã {digest}: {counts}.", "Plan {plan}, code {digest}: {counts}.")
MORE = Text(
    "  … và ít nhất {count} thay đổi nữa: “caybeo plan show {plan}”.",
    "  … and at least {count} more changes: “caybeo plan show {plan}”.",
)
KINDS = {
    "create": Text("đăng mới", "create"),
    "update": Text("cập nhật", "update"),
    "delist": Text("gỡ", "delist"),
    "relist": Text("đăng lại", "relist"),
}
ODDITIES = {
    "shape": Text(
        "{account}: câu trả lời của sàn khác với tài liệu: {names} → “caybeo oddities”.",
        "{account}: answers of the marketplace that are not as documented: {names} → “caybeo oddities”.",
    ),
    "code": Text(
        "{account}: mã lỗi chưa biết của sàn: {names} → “caybeo oddities”.",
        "{account}: error codes of the marketplace that are not known yet: {names} → “caybeo oddities”.",
    ),
}
EVENTS = {
    "changed": Text("danh mục thay đổi", "the catalogue changed"),
    "planned": Text("lên kế hoạch", "planned"),
    "sent": Text("đã gửi", "sent"),
    "accepted": Text("sàn đã nhận, đang xử lý", "accepted, being processed"),
    "acknowledged": Text("sàn xác nhận", "acknowledged"),
    "rejected": Text("sàn từ chối", "rejected"),
    "deferred": Text("chưa gửi được, sẽ gửi lại", "not sent, will be sent again"),
    "unknown": Text("đã gửi, chưa rõ kết quả", "sent, outcome unknown"),
    "interrupted": Text("lượt chạy bị ngắt khi đang gửi", "the run was cut off while sending"),
    "looked-up-found": Text("tra lại: sàn đang có nhưng khác bản đã gửi", "looked up: there, but different"),
    "looked-up-absent": Text("tra lại: sàn chưa có", "looked up: not there"),
    "superseded": Text("được thay bằng kế hoạch mới hơn", "replaced by a newer plan"),
    "cancelled": Text("đã hủy", "cancelled"),
    "expired": Text("quá 24 giờ không ai duyệt", "not approved within 24 hours"),
    "held": Text("chờ duyệt", "waits for approval"),
    "approved": Text("đã duyệt", "approved"),
    "refused": Text("không duyệt", "refused"),
    "withdrawn": Text("yêu cầu gỡ khỏi mọi sàn", "withdrawn everywhere"),
    "withdrawal-undone": Text("cho bán lại", "withdrawal taken back"),
    "restored": Text("khôi phục từ bản sao lưu", "restored from a backup"),
    "read-back": Text("đã đọc lại toàn bộ sàn", "read back whole"),
    "drift": Text("trên sàn khác với danh mục", "differs on the marketplace"),
}
