"""The kit as a pytest plugin, for connectors that live in packages of their own: see connectors/README.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.conformance.scenario import Scenario
from connectors.conformance.suite import SCENARIOS, judge
from connectors.contract import Connector


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `caybeo_scenario` runs once for each."""
    if "caybeo_scenario" in metafunc.fixturenames:
        names = [scenario.name for scenario in SCENARIOS]
        metafunc.parametrize("caybeo_scenario", SCENARIOS, ids=names, indirect=True)


@pytest.fixture
def caybeo_connector() -> Connector:
    raise LookupError("define a fixture “caybeo_connector” that returns your CONNECTOR")


@pytest.fixture
def caybeo_scenario(request: pytest.FixtureRequest, caybeo_connector: Connector) -> Callable[[], None]:
    """Call it: it passes, fails with the scenario's sentence, or skips with the reason."""
    scenario: Scenario = request.param

    def run() -> None:
        verdict = judge(caybeo_connector, scenario)
        sentence = verdict.sentence.en if verdict.sentence else ""
        if verdict.status == "not-applicable":
            pytest.skip(sentence)
        if verdict.status == "failed":
            pytest.fail(f"{verdict.text.en}. {sentence}", pytrace=False)

    return run
