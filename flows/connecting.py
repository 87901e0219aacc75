"""`caybeo connectors check` and `new`: what the kit found, and what was written, as people read it."""

from __future__ import annotations

from collections import Counter

from connectors.conformance import scaffold
from connectors.conformance.suite import Status, Verdict, check
from connectors.contract import Connector
from flows.speaking import Misused, Voice
from models.report import DONE, PEOPLE
from models.text import Text

MARKS: dict[Status, tuple[Text, str]] = {
    "passed": (Text("đạt", "passed"), "green"),
    "failed": (Text("HỎNG", "FAILED"), "bold red"),
    "not-applicable": (Text("không áp dụng", "not applicable"), "dim"),
}


def check_connector(voice: Voice, connector: Connector) -> int:
    """Each scenario as soon as it is known, then the counts."""
    verdicts = []
    for verdict in check(connector):
        verdicts.append(verdict)
        if not voice.json:
            _show(voice, verdict)
    counts = Counter(verdict.status for verdict in verdicts)
    told = {"passed": counts["passed"], "failed": counts["failed"], "not_applicable": counts["not-applicable"]}
    document = {"connector": connector.name, **told, "scenarios": verdicts}
    voice.answer(document, lambda: voice.screen.say(COUNTS.fill(name=connector.name, **told)))
    return PEOPLE if counts["failed"] else DONE


COUNTS = Text(
    "{name}: {passed} tình huống đạt, {failed} hỏng, {not_applicable} không áp dụng.",
    "{name}: {passed} scenarios passed, {failed} failed, {not_applicable} not applicable.",
)


def _show(voice: Voice, verdict: Verdict) -> None:
    mark, style = MARKS[verdict.status]
    voice.screen.line((f"{mark.to(voice.lang)}: ", style), f"{verdict.text.to(voice.lang)} ", (verdict.name, "dim"))
    if verdict.sentence:
        voice.screen.line(f"    {verdict.sentence.to(voice.lang)}")


def new_connector(voice: Voice, name: str) -> int:
    try:
        files = [str(path) for path in scaffold.write(name)]
    except scaffold.NotWritten as error:
        message, step = error.message, error.next_step
        raise Misused(Text(f"{message.vi} {step.vi}", f"{message.en} {step.en}")) from None
    voice.answer({"name": name, "files": files}, lambda: _show_new(voice, name, files))
    return DONE


def _show_new(voice: Voice, name: str, files: list[str]) -> None:
    voice.screen.say(Text("Đã viết:", "Written:"))
    for file in files:
        voice.screen.line(f"  {file}")
    voice.screen.say(NEXT.fill(name=name))


NEXT = Text(
    "→ Chạy “caybeo connectors check {name}”, rồi đọc connectors/README.md để sửa từng tệp.",
    "→ Run “caybeo connectors check {name}”, then read connectors/README.md and change file by file.",
)
