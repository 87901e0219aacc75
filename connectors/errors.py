"""Why a call to a marketplace gave no usable answer, named by what the engine does next.

ConnectorError
├── NotSent               nothing left this machine: the change stays due
│   ├── Interrupted       because this run was asked to end
│   ├── OutOfTime         because this run's time is over
│   ├── Down              because the marketplace has not answered for a while
│   └── NotRecorded       because our own database could not note the request
├── Throttled             refused for now: wait until `retry_after`, the change stays due
├── Unanswered            sent, but no answer that can be trusted: look up before anything else
│   └── OtherShape        because the documents do not describe it: somebody must teach the connector
├── Refused               this change is refused: a person mends `field`, nothing is repeated
│   └── Later             but only for now, for `seconds`: a review, a promotion, a quota; a later run asks again
├── Conflict              someone else changed the listing: read it back, plan again
├── AuthorisationFailed   the account must be authorised again: the whole account stops
└── Misconfigured         wrong address, redirect, foreign host, bad certificate: the whole account stops
    └── ClockSkew         this machine's clock is wrong: refused, hence not done
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from connectors.problems import label
from models.listing import Problem
from models.text import Text, local


class ConnectorError(Exception):
    """`code` is the marketplace's or ours; `words` are the marketplace's own. Neither ever holds a secret.

    `message` and `next_step` are what the connector's table says of `code`; without them stands the kind's own.
    `unlisted` says that the table lacks it.
    """

    unlisted = False

    def __init__(
        self,
        code: str,
        words: str = "",
        *,
        field: str = "",
        message: Text | None = None,
        next_step: Text | None = None,
    ) -> None:
        super().__init__(f"{code}: {words}" if words else code)
        self.code, self.words, self.field = code, words, field
        self.message, self.next_step = message, next_step


class NotSent(ConnectorError):
    pass


class Interrupted(NotSent):
    def __init__(self) -> None:
        super().__init__("interrupted")


class OutOfTime(NotSent):
    def __init__(self) -> None:
        super().__init__("out-of-time")


class Down(NotSent):
    def __init__(self, since: datetime) -> None:
        super().__init__("down", local(since))
        self.since = since


class NotRecorded(NotSent):
    def __init__(self, words: str) -> None:
        super().__init__("not-recorded", words)


class Throttled(ConnectorError):
    def __init__(self, code: str, words: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(code, words)
        self.retry_after = retry_after  # seconds


class Unanswered(ConnectorError):
    pass


class OtherShape(Unanswered):
    """`words` say where the answer differs from the documents."""


class Refused(ConnectorError):
    pass


class Later(Refused):
    whole_account = False  # whether it is true of every other change too

    def __init__(self, code: str, words: str = "", *, seconds: float = 0.0, **said: Any) -> None:
        super().__init__(code, words, **said)
        self.seconds = seconds  # after which it may be asked again; 0 where the engine's own back-off does

    def until(self, now: datetime) -> datetime | None:
        """When it may be asked again; None where the engine's own back-off says."""
        return now + timedelta(seconds=self.seconds) if self.seconds else None


class Conflict(ConnectorError):
    pass


class AuthorisationFailed(ConnectorError):
    pass


class Misconfigured(ConnectorError):
    pass


class ClockSkew(Misconfigured):
    corrected = False  # whether signatures bear the marketplace's own time from now on


SENTENCES: dict[type[ConnectorError], tuple[Text, Text]] = {
    Refused: (
        Text("Sàn từ chối: {words} (mã {code}).", "The marketplace refused: {words} (code {code})."),
        Text(
            "Sửa mục “{field}” trong danh mục rồi nhập lại; đêm sau hệ thống tự gửi.",
            "Correct “{field}” in the catalogue and import it again; the next night sends it.",
        ),
    ),
    NotSent: (
        Text("Chưa kết nối được với sàn ({code}).", "The marketplace could not be reached ({code})."),
        Text("Không cần làm gì: lần chạy sau tự gửi lại.", "Nothing to do: the next run tries again."),
    ),
    Interrupted: (
        Text("Đã dừng theo yêu cầu trước khi xong.", "Stopped as asked, before the end."),
        Text("Chạy lại khi cần: hệ thống làm tiếp từ chỗ đang dở.", "Run again when it suits: it goes on from there."),
    ),
    OutOfTime: (
        Text(
            "Lượt chạy đã hết thời gian nên dừng lại; những thay đổi chưa gửi vẫn còn trong kế hoạch.",
            "The run's time is over; what was not sent stays planned.",
        ),
        Text("Không cần làm gì: lần chạy sau làm tiếp.", "Nothing to do: the next run goes on."),
    ),
    Down: (
        Text(
            "Sàn không trả lời từ {words}; hệ thống tạm ngừng gửi.",
            "The marketplace has not answered since {words}; nothing more is sent for now.",
        ),
        Text(
            "Không cần làm gì: lần chạy sau thử lại một lần, sàn trả lời thì gửi tiếp.",
            "Nothing to do: the next run tries once, and goes on if it is answered.",
        ),
    ),
    NotRecorded: (
        Text(
            "Không ghi được vào cơ sở dữ liệu nên chưa gửi gì ({code}).",
            "Our database could not be written, so nothing was sent ({code}).",
        ),
        Text(
            "Kiểm tra chỗ trống trên ổ đĩa và chạy “caybeo doctor”, rồi chạy lại.",
            "Check the room on the disk and run “caybeo doctor”, then run again.",
        ),
    ),
    Throttled: (
        Text("Sàn yêu cầu gửi chậm lại ({code}).", "The marketplace asked for slower sending ({code})."),
        Text("Không cần làm gì: lần chạy sau tự gửi tiếp.", "Nothing to do: the next run goes on."),
    ),
    Unanswered: (
        Text(
            "Đã gửi nhưng sàn không trả lời rõ ràng ({code}).",
            "Sent, but the marketplace gave no clear answer ({code}).",
        ),
        Text(
            "Không cần làm gì: lần chạy sau sẽ tra lại trên sàn trước khi gửi.",
            "Nothing to do: the next run looks it up before sending again.",
        ),
    ),
    OtherShape: (
        Text(
            "Sàn trả lời khác với tài liệu nên không được tính là thành công ({code}).",
            "The marketplace's answer is not what its documents describe, so it counts as none ({code}).",
        ),
        Text(
            "Hệ thống tự tra lại trước khi gửi; nếu còn lặp lại, gửi kết quả của “caybeo oddities --json” (đã che dữ "
            "liệu) cho người phụ trách kỹ thuật.",
            "The next run looks it up before sending again; if this goes on, send your engineer what “caybeo oddities "
            "--json” says (redacted).",
        ),
    ),
    Conflict: (
        Text("Tin trên sàn vừa được người khác sửa ({code}).", "Someone else has just edited the listing ({code})."),
        Text("Không cần làm gì: lần chạy sau đọc lại rồi tính tiếp.", "Nothing to do: the next run reads it back."),
    ),
    AuthorisationFailed: (
        Text("Sàn không nhận thông tin đăng nhập ({code}).", "The marketplace refused the credentials ({code})."),
        Text(
            "Chạy “caybeo accounts add” cho tài khoản này để nhập lại thông tin đăng nhập.",
            "Run “caybeo accounts add” for this account and enter its credentials again.",
        ),
    ),
    Misconfigured: (
        Text(
            "Địa chỉ hoặc chứng chỉ của sàn không đúng ({code}).",
            "The marketplace's address or certificate is wrong ({code}).",
        ),
        Text("Kiểm tra --base-url của tài khoản.", "Check the account's --base-url."),
    ),
    ClockSkew: (
        Text(
            "Sàn từ chối vì đồng hồ của máy này chạy sai ({code}).",
            "The marketplace refused because this machine's clock is wrong ({code}).",
        ),
        Text("Bật đồng bộ giờ cho máy rồi chạy lại.", "Turn on time synchronisation, then run again."),
    ),
}


def unlisted(error: ConnectorError) -> ConnectorError:
    """The same, noted as one whose code the connector's table lacks."""
    error.unlisted = True
    return error


def problem_of(error: ConnectorError) -> Problem:
    """The sentence and the next step a shop owner reads."""
    kind = next(k for k in type(error).__mro__ if k in SENTENCES)
    message, next_step = error.message or SENTENCES[kind][0], error.next_step or SENTENCES[kind][1]
    return Problem(
        code=error.code, field=error.field, message=_filled(message, error), next_step=_filled(next_step, error)
    )


def _filled(text: Text, error: ConnectorError) -> Text:
    """The sentence with the code, the marketplace's words, and the field as a shop owner calls it."""
    name = label(error.field) if error.field else Text("nội dung", "the content")
    words = error.words or error.code
    return Text(
        text.vi.format(code=error.code, words=words, field=name.vi),
        text.en.format(code=error.code, words=words, field=name.en),
    )
