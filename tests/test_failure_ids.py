"""Every failure the product must survive has a test that bears its id."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.failure_ids import FAILURES, WAIVED, by_id, examine, lines

HERE = Path(__file__).parent


def tree(place: Path, *tests: str) -> Path:
    """A folder of tests with these names, spread over two files."""
    root = place / "tests"
    (root / "deep").mkdir(parents=True)
    for n, file in enumerate((root / "test_a.py", root / "deep" / "test_b.py")):
        file.write_text("".join(f"def {name}():\n    pass\n\n\n" for name in tests[n::2]), "utf-8")
    return root


def whole() -> list[str]:
    return [f"test_{one}_x" for one in FAILURES if one not in WAIVED]


def test_every_id_has_a_test() -> None:
    findings = examine(HERE)

    assert findings.missing == []
    assert findings.stale == []
    assert findings.strange == []


def test_the_table_holds_every_id_without_a_gap() -> None:
    numbered = [f"{kind}{n:02}" for kind, many in (("P", 24), ("N", 15), ("M", 25)) for n in range(1, many + 1)]

    assert list(FAILURES) == numbered
    assert len(set(FAILURES.values())) == len(FAILURES)
    assert all(WAIVED.values())


def test_a_whole_tree_is_sound(tmp_path: Path) -> None:
    findings = examine(tree(tmp_path, *whole()))

    assert findings.sound


def test_an_id_without_a_test_is_named(tmp_path: Path) -> None:
    root = tree(tmp_path, *(name for name in whole() if name != "test_N07_x"))

    findings = examine(root)
    said = "\n".join(lines(findings))

    assert findings.missing == ["N07"]
    assert not findings.sound
    assert f"N07  {FAILURES['N07']}\n     NO TEST" in said
    asked = len(whole())
    assert said.endswith(f"{asked - 1} of {asked} ids have a test, {len(WAIVED)} are waived\nwithout a test: N07")


@pytest.mark.parametrize(
    "text",
    [
        "def test_about_N07_x(): ...",
        "def test_N07(): ...",
        "def test_n07_x(): ...",
        "# def test_N07_x(): ...",
        "def helper():\n    def test_N07_x(): ...",
        "@pytest.mark.skip\ndef test_N07_x(): ...",
        "@pytest.mark.xfail(reason='later')\ndef test_N07_x(): ...",
    ],
)
def test_what_is_no_test_of_the_id_does_not_count(tmp_path: Path, text) -> None:
    root = tree(tmp_path)
    (root / "test_c.py").write_text(text, "utf-8")

    assert by_id(root) == {}


def test_a_test_counts_once_wherever_it_stands(tmp_path: Path) -> None:
    root = tree(tmp_path, "test_P01_one", "test_P01_two")
    many = "class TestIt:\n    @pytest.mark.parametrize('n', range(9))\n    def test_P01_three(self, n): ...\n"
    (root / "test_c.py").write_text(many, "utf-8")

    assert by_id(root) == {
        "P01": [
            "tests/deep/test_b.py::test_P01_two",
            "tests/test_a.py::test_P01_one",
            "tests/test_c.py::test_P01_three",
        ]
    }


def test_an_id_that_nobody_knows_is_named(tmp_path: Path) -> None:
    findings = examine(tree(tmp_path, *whole(), "test_P99_x"))

    (strange,) = findings.strange
    assert strange.endswith("::test_P99_x")
    assert not findings.sound


def test_a_waiver_ends_with_the_first_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WAIVED, "M10", "comes later")

    findings = examine(tree(tmp_path, *whole(), "test_M10_x"))

    assert findings.stale == ["M10"]
    assert not findings.sound


def test_a_test_of_an_id_that_comes_later_is_welcome(tmp_path: Path) -> None:
    assert examine(tree(tmp_path, *whole(), "test_D17_x")).sound
