"""What can go wrong, by id, and the tests that show what happens then: `python -m tests.failure_ids` lists both.

A test speaks for an id where its name begins with it: `test_P15_a_second_run_is_busy`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FAILURES = {
    # the process
    "P01": "Killed before the plan is committed: nothing was sent, the next run plans afresh.",
    "P02": "Killed between plan and sending: the planned rows are sent by the next run.",
    "P03": "Killed once marked as being sent, with nothing on the wire: looked up after the settle time, sent once.",
    "P04": "Killed after the marketplace did it, before its answer: found there and adopted, not made again.",
    "P05": "Killed between answer and record: as P04, and the marketplace's id is known afterwards.",
    "P06": "Killed during an import: the file is in whole or not at all.",
    "P07": "Killed during a migration: the schema is the old or the new one, and the next start says which.",
    "P08": "SIGTERM or SIGINT: takes no more work, ends or marks the request in flight, is gone in 30 seconds.",
    "P09": "Out of memory: as a kill, and no input is large enough to cause it.",
    "P10": "Disk full: a clear sentence, no half transaction, nothing sent that could not be written down.",
    "P11": "The disk fails while a commit is flushed: the run ends, and the database is opened anew and checked.",
    "P12": "The database stays locked: tried for a while, then given up before anything is sent.",
    "P13": "The wall clock jumps: the lease trusts the monotonic one, and the run ends where they part.",
    "P14": "Ends of month and year, leap days, odd or no TZ: the plan is the same.",
    "P15": "Two runs of one account: the second is told that it is busy, and by its exit code.",
    "P16": "A run sleeps past its lease and wakes up: it writes and sends no more.",
    "P17": "A person asks for a resync during a run: before or after it, never in between.",
    "P18": "A killed run stays Running in Prefect: the lease ends by itself, the run is marked Crashed.",
    "P19": "The Prefect API goes away during a run: what was begun is finished, the API is not stormed.",
    "P20": "A backup was restored: no write before everything was read back.",
    "P21": "The database file is damaged: it is not opened, and the sentence names the way back.",
    "P22": "A row fails the same way three runs in a row: set aside until record, mapping or connector changes.",
    "P23": "Runs crash one after the other: longer and longer pauses between them, one alert.",
    "P24": "An upgrade meets open rows: they are finished or set aside, never read under another meaning.",
    # the network
    "N01": "The name does not resolve: tried again, then this account alone rests.",
    "N02": "No connection: nothing was sent, the row stays planned.",
    "N03": "A certificate that is expired, self-signed or of another host: refused, not repeated, not downgraded.",
    "N04": "Reset before the request was read: a doubt, unless it is certain that no byte left.",
    "N05": "Reset in the middle of a request: a doubt.",
    "N06": "Done there, the answer lost: looked up, never made twice.",
    "N07": "An answer that drips: a deadline over the whole call, then a doubt.",
    "N08": "A body cut short: a doubt.",
    "N09": "A compressed or endless body: given up early, memory stays small.",
    "N10": "A redirect: not followed, whatever its target.",
    "N11": "Success in name with rubbish inside: never a success of a write, asked again for a read, never a crash.",
    "N12": "A proxy delivers a request twice: the effect of one, or found afterwards.",
    "N13": "Proxies named by the environment: ignored.",
    "N14": "All connections busy: waits within its deadline, other accounts go on.",
    "N15": "Half of all requests fail for an hour: little more load than in peace.",
    # the marketplace
    "M01": "429 with every form of Retry-After: the least wait, too long a one ends the run, rubbish counts as none.",
    "M02": "A server error, before or after the effect: a doubt for a write.",
    "M03": "An error inside a success: known codes by the table, unknown ones never a success.",
    "M04": "A part of a batch fails: each item has an outcome of its own.",
    "M05": "Results shuffled, missing, doubled or of others: matched by key alone.",
    "M06": "A job that never ends, or whose handle or result is gone: a doubt after its deadline, then looked up.",
    "M07": "Reads lag behind writes or flap: waits, and believes in absence only after two reads that agree.",
    "M08": "A create is repeated: one listing, by the means of each class.",
    "M09": "The access token ends in the middle of the work: renewed once, the refused request alone is repeated.",
    "M10": "Two processes race for a refresh token that works once.",
    "M11": "The new pair of tokens is lost in a crash.",
    "M12": "Credentials revoked: the account stops, and does not knock again and again.",
    "M13": "A listing edited by hand: told field by field, settled by policy.",
    "M14": "A listing deleted by hand: a person is asked before it is made again.",
    "M15": "Listings that are not ours: never touched.",
    "M16": "A category goes, or an attribute becomes required: told with what to mend, the others go on.",
    "M17": "Replies of another shape: no answer at all rather than a wrong one.",
    "M18": "Texts cut or prices rounded there: seen when read back, not sent again and again.",
    "M19": "The quota shrinks or is shared: slower at once, faster again only slowly.",
    "M20": "A listing under review, banned or locked: waits as that, nothing is sent over and over.",
    "M21": "Pages that repeat, skip or never end: an error, and no delete or create follows from it.",
    "M22": "The credentials open another shop: refused before anything is sent.",
    "M23": "Maintenance for hours: left alone, told once, caught up without a burst.",
    "M24": "Ids there are used again or change: the SKU decides, a contradiction is set aside.",
    "M25": "The clocks differ: said as that, and tried once with the right time.",
}

LATER = {  # of these an id may have tests already; it must have one once its line here goes
    "D": (25, "what data may hold: comes with a later issue, though some is tested already"),
    "X": (8, "secrets and personal data: comes with a later issue, though some is tested already"),
    "Y": (5, "foreign connectors and dependencies: comes with a later issue, though some is tested already"),
}
WAIVED = {
    **{f"{kind}{n:02}": why for kind, (many, why) in LATER.items() for n in range(1, many + 1)},
}
NAMED = re.compile(r"test_([A-Z]\d\d)_")
IDLE = {"skip", "xfail"}  # a test under one of these proves nothing
Tests = dict[str, list[str]]  # id -> file::name


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the tests say about the table."""

    tests: Tests
    missing: list[str]
    waived: dict[str, str]
    stale: list[str]  # waived, and yet there is a test
    strange: list[str]  # tests of ids that nobody knows

    @property
    def sound(self) -> bool:
        return not (self.missing or self.stale or self.strange)


def examine(root: Path) -> Findings:
    """Holds every test below `root` against the table."""
    tests = by_id(root)
    return Findings(
        tests=tests,
        missing=[one for one in FAILURES if one not in tests and one not in WAIVED],
        waived=WAIVED,
        stale=[one for one in FAILURES if one in tests and one in WAIVED],
        strange=[test for one in sorted(tests) if one not in FAILURES | WAIVED for test in tests[one]],
    )


def by_id(root: Path) -> Tests:
    """Read from the syntax alone: a parametrised test counts once, and nothing has to be imported."""
    found: Tests = {}
    for file in sorted(root.rglob("test_*.py")):
        for name in names_in(ast.parse(file.read_text("utf-8"))):
            if match := NAMED.match(name):
                found.setdefault(match[1], []).append(f"{file.relative_to(root.parent).as_posix()}::{name}")
    return found


def names_in(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Tests of a module and of its classes that really run."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from names_in(node)
        elif isinstance(node, ast.FunctionDef) and not any(map(is_idle, node.decorator_list)):
            yield node.name


def is_idle(decorator: ast.expr) -> bool:
    marker = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(marker, ast.Attribute) and marker.attr in IDLE


def lines(findings: Findings) -> Iterator[str]:
    """For reading: every id with its sentence and tests, then what is waived, then what is wrong."""
    for one, sentence in FAILURES.items():
        if one not in findings.waived:
            yield f"{one}  {sentence}"
            yield from (f"     {test}" for test in findings.tests.get(one, ["NO TEST"]))
    yield ""
    for why in dict.fromkeys(findings.waived.values()):
        yield f"{' '.join(one for one, reason in findings.waived.items() if reason == why)}\n     waived: {why}"
    yield ""
    yield from (f"{one}  has a test: waive it no longer" for one in findings.stale)
    yield from (f"{test}  names an id that is not in the table" for test in findings.strange)
    asked = [one for one in FAILURES if one not in findings.waived]
    yield f"{len(asked) - len(findings.missing)} of {len(asked)} ids have a test, {len(findings.waived)} are waived"
    if findings.missing:
        yield f"without a test: {', '.join(findings.missing)}"


def main() -> int:
    findings = examine(Path(__file__).parent)
    print("\n".join(lines(findings)))
    return 0 if findings.sound else 1


if __name__ == "__main__":
    sys.exit(main())
