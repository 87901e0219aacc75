"""What can be wrong with a source: one row of it, or the whole."""

from __future__ import annotations

from dataclasses import dataclass

from models.text import Text

SHOWN = 80  # characters of a wrong value that a report repeats


class SourceRefused(Exception):
    """Nothing of this source is taken. `unreachable`: it could not even be read."""

    def __init__(self, message: Text, next_step: Text, *, unreachable: bool = False) -> None:
        super().__init__(message.en)
        self.message = message
        self.next_step = next_step
        self.unreachable = unreachable


class BadValue(Exception):
    """One cell cannot be taken as it stands."""

    def __init__(self, code: str, message: Text, next_step: Text) -> None:
        super().__init__(message.en)
        self.code = code
        self.message = message
        self.next_step = next_step


@dataclass(frozen=True, kw_only=True, slots=True)
class RowProblem:
    """Why a row was set aside. `row` counts from 1 as the spreadsheet shows it; `column` is its header."""

    file: str
    row: int
    column: str
    value: str
    code: str
    message: Text
    next_step: Text


def row_problem(file: str, row: int, column: str, value: object, error: BadValue) -> RowProblem:
    shown = "" if value is None else str(value)
    return RowProblem(
        file=file,
        row=row,
        column=column,
        value=shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…",
        code=error.code,
        message=error.message,
        next_step=error.next_step,
    )
