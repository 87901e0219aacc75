"""Runs the scenarios on a connector, one fresh shop for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from connectors.conformance import answering, changing, reading, tokens, writing
from connectors.conformance.bench import Failed, Inapplicable, Shop
from connectors.conformance.scenario import Scenario
from connectors.contract import Connector
from models.text import Text

Status = Literal["passed", "failed", "not-applicable"]
MODULES = (writing, changing, answering, reading, tokens)
SCENARIOS: tuple[Scenario, ...] = tuple(
    value for module in MODULES for value in vars(module).values() if isinstance(value, Scenario)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    name: str
    text: Text
    status: Status
    sentence: Text | None = None  # what was expected and found, or why the scenario is not about this connector


def check(connector: Connector, scenarios: Iterable[Scenario] = SCENARIOS) -> Iterator[Verdict]:
    """Every scenario's verdict, as soon as it is known."""
    for scenario in scenarios:
        yield judge(connector, scenario)


def judge(connector: Connector, scenario: Scenario) -> Verdict:
    reason = scenario.needs(connector)
    if reason:
        return _verdict(scenario, "not-applicable", reason)
    try:
        run(connector, scenario)
    except Inapplicable as error:
        return _verdict(scenario, "not-applicable", error.reason)
    except Failed as error:
        return _verdict(scenario, "failed", error.sentence)
    except Exception as error:  # noqa: BLE001  # a connector's own fault is a finding, not the end of the suite
        return _verdict(scenario, "failed", _broke(error))
    return _verdict(scenario, "passed", None)


def run(connector: Connector, scenario: Scenario) -> None:
    """Raises Failed or Inapplicable, or what the connector itself raises."""
    shop = Shop(connector)
    try:
        scenario.run(shop)
    finally:
        shop.close()


def _verdict(scenario: Scenario, status: Status, sentence: Text | None) -> Verdict:
    return Verdict(name=scenario.name, text=scenario.text, status=status, sentence=sentence)


def _broke(error: Exception) -> Text:
    """The kind and the place of an error that no scenario expects; its words may hold anything."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    told = f"{type(error).__name__} ({place}): {error}"
    return Text(f"Bộ nối tự hỏng: {told}", f"The connector broke: {told}")
