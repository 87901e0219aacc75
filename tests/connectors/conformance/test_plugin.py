"""A foreign package runs the kit with three lines of its own."""

from __future__ import annotations

import pytest

from connectors.conformance.suite import SCENARIOS

pytest_plugins = ["pytester"]

CONFTEST = """
import pytest
from {module} import {name}
pytest_plugins = ["connectors.conformance.plugin"]

@pytest.fixture
def caybeo_connector():
    return {name}
"""
TEST = """
def test_conformance(caybeo_scenario):
    caybeo_scenario()
"""


@pytest.fixture
def package(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_conformance=TEST)
    return pytester


def test_a_sound_connector_passes_or_skips(package) -> None:
    package.makeconftest(CONFTEST.format(module="connectors.conformance.template", name="CONNECTOR"))

    found = package.runpytest_inprocess("-p", "no:cacheprovider", "-k", "read-back or html or poll or accepted")

    found.assert_outcomes(passed=2, skipped=2, deselected=len(SCENARIOS) - 4)


def test_a_broken_one_fails_with_the_sentence(package) -> None:
    broken = "from tests.connectors.conformance.mutants import MUTANTS\nBROKEN = MUTANTS[0].connector\n"
    package.makepyfile(foreign_connector=broken)
    package.makeconftest(CONFTEST.format(module="foreign_connector", name="BROKEN"))

    found = package.runpytest_inprocess("-p", "no:cacheprovider", "-k", "read-back")

    found.assert_outcomes(failed=1, deselected=len(SCENARIOS) - 1)
    found.stdout.fnmatch_lines(["*Expected: what is read back to be what was sent.*"])


def test_a_package_that_names_no_connector_is_told_how(package) -> None:
    package.makeconftest('pytest_plugins = ["connectors.conformance.plugin"]')

    found = package.runpytest_inprocess("-p", "no:cacheprovider", "-k", "read-back")

    found.assert_outcomes(errors=1, deselected=len(SCENARIOS) - 1)
    found.stdout.fnmatch_lines(["*define a fixture*caybeo_connector*"])
