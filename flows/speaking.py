"""How every command speaks: --json and --lang, exit codes, and a sentence instead of a traceback."""

import functools
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import typer
from pydantic import ValidationError
from rich.console import Console
from sqlalchemy.exc import DatabaseError

from connectors.errors import SENTENCES, ConnectorError, Interrupted, problem_of
from connectors.registry import Misnamed, NotAllowed, UnknownMarketplace
from flows.accounts import AccountRefused
from flows.screens import Screen
from flows.settings import Settings
from flows.steps.account import code_of
from flows.steps.approve import PlanRefused
from flows.steps.night import UnknownAccount, UnknownSku
from flows.steps.pull import SourceRefused
from flows.stopping import Stopping
from flows.troubles import code_of_trouble, trouble
from models.database import DatabaseLocked
from models.lease import Busy
from models.report import BUSY, DONE, REFUSED, USAGE
from models.text import Lang, Text, local
from models.value import asdict

Json = Annotated[bool, typer.Option("--json", help="Một tài liệu JSON ra stdout. / One JSON document on stdout.")]
Language = Annotated[str, typer.Option("--lang", help="vi hoặc en. / vi or en.", show_default=False)]

_log = logging.getLogger(__name__)


class Misused(Exception):
    """The command was not given what it needs."""

    def __init__(self, message: Text) -> None:
        super().__init__(message.en)
        self.message = message


@dataclass(kw_only=True)
class Voice:
    """Where one command's words go: a JSON document, or a screen in one language."""

    settings: Settings
    json: bool
    screen: Screen
    stop: Stopping = field(default_factory=Stopping)

    @property
    def lang(self) -> Lang:
        return self.screen.lang

    def answer(self, document: Any, show: Callable[[], None]) -> None:
        """The document for scripts, or the same for people."""
        if self.json:
            told = msgspec.json.format(msgspec.json.encode(self.plain(document)), indent=2)
            sys.stdout.write(told.decode() + "\n")
        else:
            show()

    def plain(self, value: Any) -> Any:
        """Texts in the chosen language, numbers as numbers, the rest as it is."""
        if isinstance(value, Text):
            return value.to(self.lang)
        if isinstance(value, Mapping):
            return self.plain(Text(value["vi"], value["en"])) if set(value) == {"vi", "en"} else self._mapping(value)
        if isinstance(value, list | tuple):
            return [self.plain(v) for v in value]
        if isinstance(value, Decimal):
            return int(value) if value == value.to_integral_value() else float(value)
        if isinstance(value, msgspec.Struct):
            return self._mapping(asdict(value))
        if is_dataclass(value) and not isinstance(value, type):
            return {field.name: self.plain(getattr(value, field.name)) for field in fields(value)}
        return value

    def _mapping(self, value: Mapping[str, Any]) -> dict[str, Any]:
        return {str(k): self.plain(v) for k, v in value.items()}


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Gives a command --json and --lang, and turns what it raises into a sentence and an exit code."""

    @functools.wraps(function)
    def spoken(*args: Any, json_: bool = False, lang: str = "", **kwargs: Any) -> None:
        voice = _voice(json=json_, lang=lang)
        try:
            code = function(voice, *args, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except (BrokenPipeError, SystemExit):  # the reader had enough, as `head` has: rich makes the second of it
            _close_stdout()
            code = UNREAD
        except KeyboardInterrupt:
            code = _refuse(voice, INTERRUPTED, "interrupted", STOPPED, STOPPED_NEXT)
        except Exception as error:  # noqa: BLE001  # the last resort: no traceback ever reaches an operator
            code = _explain(voice, error)
        code = _stopped(voice) if voice.stop.asked() else code
        raise typer.Exit(_flushed(voice) or code or DONE)

    signature = inspect.signature(function)
    extra = [
        inspect.Parameter("json_", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json),
        inspect.Parameter("lang", inspect.Parameter.KEYWORD_ONLY, default="", annotation=Language),
    ]
    spoken.__signature__ = signature.replace(  # type: ignore[attr-defined]  # typer reads it
        parameters=[*list(signature.parameters.values())[1:], *extra], return_annotation=None
    )
    spoken.__annotations__ = {p.name: p.annotation for p in spoken.__signature__.parameters.values()}  # type: ignore[attr-defined]  # the same
    return spoken


def _voice(*, json: bool, lang: str) -> Voice:
    try:
        settings = Settings(**({"lang": lang} if lang else {}))  # type: ignore[arg-type]  # pydantic checks it
    except ValidationError as error:
        fields = [str(e["loc"][0]) for e in error.errors()]
        names = ", ".join(f"{field} (CAYBEO_{field.upper()})" for field in fields)
        sys.stderr.write(f"Thiết lập không hợp lệ / invalid setting: {names}\n")
        sys.stderr.writelines(f"{e['ctx']['error']}\n" for e in error.errors() if e["type"] == "value_error")
        sys.stderr.write(
            "→ Sửa biến môi trường hoặc tùy chọn đó rồi chạy lại. / Correct that variable or option and run again.\n"
        )
        raise typer.Exit(USAGE) from None
    stream = sys.stderr if json else sys.stdout
    return Voice(
        settings=settings,
        json=json,
        screen=Screen(settings.lang, Console(file=stream, width=None if stream.isatty() else 160, markup=False)),
    )


def _stopped(voice: Voice) -> int:
    """After the report of what was done until then, which names what was left: why the command ends here."""
    with suppress(OSError):
        if voice.json:
            sys.stderr.write(f"{STOPPED.to(voice.lang)} {STOPPED_NEXT.to(voice.lang)}\n")
        else:
            voice.screen.say(STOPPED, style="red")
            voice.screen.say(Text(f"→ {STOPPED_NEXT.vi}", f"→ {STOPPED_NEXT.en}"))
    return voice.stop.code


def _flushed(voice: Voice) -> int:
    """0 where everything said has left."""
    try:
        sys.stdout.flush()
        return DONE
    except BrokenPipeError:
        _close_stdout()
        return UNREAD
    except OSError as error:
        _say_elsewhere(voice, *(trouble(error) or (UNSAID, SEE_STATUS)))
        return USAGE


def _say_elsewhere(voice: Voice, message: Text, next_step: Text) -> None:
    _close_stdout()
    with suppress(OSError):
        sys.stderr.write(f"{message.to(voice.lang)}\n→ {next_step.to(voice.lang)}\n")


def _close_stdout() -> None:
    """Python would flush once more at its end, fail again, and show how."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(voice: Voice, error: Exception) -> int:
    """The sentence, next step and exit code of an error that ends a command."""
    if isinstance(error, SourceRefused):
        return _refuse(voice, REFUSED, "refused", error.message, error.next_step)
    if isinstance(error, Misused):
        return _refuse(voice, USAGE, "usage", error.message, INVALID_NEXT)
    if isinstance(error, AccountRefused | PlanRefused):
        return _refuse(voice, USAGE, "usage", error.message, error.next_step)
    if isinstance(error, Busy):
        text = BUSY_NOW.fill(account=error.account, until=local(error.until))
        return _refuse(voice, BUSY, "busy", text, WAIT)
    if isinstance(error, ConnectorError):
        problem = problem_of(error)
        return _refuse(voice, code_of(error), problem.code, problem.message, problem.next_step)
    if isinstance(error, UnknownAccount | UnknownSku | UnknownMarketplace):
        message, next_step = UNKNOWN[type(error)]
        return _refuse(voice, USAGE, "unknown", message.fill(name=error.args[0]), next_step)
    if said := trouble(error):
        return _refuse(voice, BUSY if isinstance(error, DatabaseLocked) else USAGE, code_of_trouble(error), *said)
    if isinstance(error, DatabaseError):
        return _refuse(voice, USAGE, "database", BROKEN, RESTORE)
    if isinstance(error, ValidationError):
        fields = ", ".join(str(e["loc"][0]) for e in error.errors())
        return _refuse(voice, USAGE, "usage", INVALID.fill(fields=fields), INVALID_NEXT)
    return _unforeseen(voice, error)


def _unforeseen(voice: Voice, error: Exception) -> int:
    """Writes the details where a developer finds them, and says where that is."""
    folder = voice.settings.place / "logs"
    file = folder / "errors.log"
    with suppress(OSError):  # a full disk must not make a second error of the first
        folder.mkdir(exist_ok=True)
        with file.open("a") as log:
            log.write("".join(traceback.format_exception(error)) + "\n")
    return _refuse(voice, USAGE, "unforeseen", UNFORESEEN.fill(kind=type(error).__name__), SEND_LOG.fill(file=file))


def _refuse(voice: Voice, code: int, name: str, message: Text, next_step: Text) -> int:
    error = {"error": {"code": name, "message": message, "next_step": next_step}}

    def show() -> None:
        voice.screen.say(message, style="red")
        voice.screen.say(Text(f"→ {next_step.vi}", f"→ {next_step.en}"))

    try:
        voice.answer(error, show)
    except OSError:  # what takes no report takes no error either
        _say_elsewhere(voice, message, next_step)
    return code


INTERRUPTED = 130  # Ctrl-C outside of the work that a signal can break off
UNREAD = 141  # what the shell says of a program whose reader went away
STOPPED, STOPPED_NEXT = SENTENCES[Interrupted]
BUSY_NOW = Text(
    "Lượt chạy khác đang giữ tài khoản {account}, muộn nhất đến {until}.", "Another run uses {account} until {until}."
)
WAIT = Text("Đợi lượt đó xong rồi chạy lại.", "Wait for it to end, then run again.")
BROKEN = Text("Không đọc được cơ sở dữ liệu.", "The database cannot be read.")
RESTORE = Text(
    "Kiểm tra CAYBEO_DATABASE_URL; nếu tệp hỏng, khôi phục bằng “caybeo db restore TỆP”.",
    "Check CAYBEO_DATABASE_URL; where the file is damaged, use “caybeo db restore FILE”.",
)
UNSAID = Text("Không ghi được kết quả ra màn hình hay tệp.", "What was to be said could not be written.")
SEE_STATUS = Text("Việc đã làm vẫn được ghi lại; xem “caybeo status”.", "What was done is kept; see “caybeo status”.")
INVALID = Text("Giá trị không hợp lệ: {fields}.", "Invalid value: {fields}.")
INVALID_NEXT = Text("Xem --help của lệnh này.", "See the command's --help.")
UNFORESEEN = Text("Có lỗi chưa lường trước ({kind}).", "Something unforeseen went wrong ({kind}).")
SEND_LOG = Text(
    "Chi tiết ở {file}; gửi tệp này cho người phụ trách kỹ thuật.", "Details are in {file}; send it to your engineer."
)
UNKNOWN: dict[type[Exception], tuple[Text, Text]] = {
    UnknownAccount: (
        Text("Không có tài khoản “{name}”.", "There is no account “{name}”."),
        Text("Xem “caybeo accounts list”.", "See “caybeo accounts list”."),
    ),
    UnknownSku: (
        Text("Không có mã SKU “{name}” trong danh mục.", "There is no SKU “{name}” in the catalogue."),
        Text("Kiểm tra lại mã, hoặc nhập sản phẩm trước.", "Check it, or import the product first."),
    ),
    UnknownMarketplace: (
        Text("Không có sàn “{name}”.", "There is no marketplace “{name}”."),
        Text(
            "Xem “caybeo connectors”; bộ nối của gói ngoài phải được cài vào chính môi trường này.",
            "See “caybeo connectors”; a package with a connector must be installed in this very environment.",
        ),
    ),
    Misnamed: (
        Text("Điểm nối “{name}” khai báo bộ nối mang tên khác.", "“{name}” declares a connector of another name."),
        Text(
            "Trong gói đó, đặt tên ở caybeo.connectors giống tên của CONNECTOR.",
            "In its package, give it the same name under caybeo.connectors as in CONNECTOR.",
        ),
    ),
    NotAllowed: (
        Text("Bộ nối “{name}” đã cài nhưng chưa được phép chạy.", "The connector “{name}” is installed, not allowed."),
        Text(
            "Nếu tin gói đó: thêm tên này vào biến CAYBEO_CONNECTORS (nhiều tên cách nhau bằng dấu phẩy).",
            "If you trust its package, add the name to CAYBEO_CONNECTORS (several are separated by commas).",
        ),
    ),
}
