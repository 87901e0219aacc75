"""A scenario: one named behaviour, which connectors it is about, and how it is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from connectors.conformance.bench import Inapplicable, Shop
from connectors.contract import Connector
from models.text import Text

Needs = Callable[[Connector], Text | None]  # why a connector is not meant, None where it is


def everyone(connector: Connector) -> Text | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    name: str
    text: Text
    needs: Needs
    run: Callable[[Shop], None]


def scenario(vi: str, en: str, needs: Needs = everyone) -> Callable[[Callable[[Shop], None]], Scenario]:
    """Makes a scenario of a function; its name is the function's."""

    def made(run: Callable[[Shop], None]) -> Scenario:
        return Scenario(name=run.__name__.replace("_", "-"), text=Text(vi, en), needs=needs, run=run)

    return made


def capable(name: str) -> Needs:
    """Only connectors that declare this capability."""

    def needs(connector: Connector) -> Text | None:
        if getattr(connector.capabilities, name):
            return None
        return Text(f"không khai báo khả năng “{name}”", f"does not declare “{name}”")

    return needs


def batching(connector: Connector) -> Text | None:
    if connector.limits.batch_size > 1:
        return None
    return Text("mỗi lần gửi chỉ một thay đổi", "one change in each push")


def in_dong(connector: Connector) -> Text | None:
    if connector.currencies[0] == "VND":
        return None
    return Text(f"bán bằng {connector.currencies[0]}", f"sells in {connector.currencies[0]}")


def rotating(connector: Connector) -> Text | None:
    if connector.rotates:
        return None
    return Text("không có cặp khóa tự đổi", "has no tokens that renew themselves")


def simulating(name: str) -> Needs:
    """Only connectors whose simulator says how: see “What a simulator may say” in connectors/README.md."""

    def needs(connector: Connector) -> Text | None:
        if hasattr(connector.simulator_class(), name):
            return None
        return Text(f"sàn mô phỏng không khai báo “{name}”", f"its simulator does not declare “{name}”")

    return needs


def both(first: Needs, second: Needs) -> Needs:
    return lambda connector: first(connector) or second(connector)


def inapplicable(vi: str, en: str) -> NoReturn:
    raise Inapplicable(Text(vi, en))
