"""Every fault point that the source names, found by reading it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "connectors", "models")
STAGES = ("begin", "commit", "end")  # of every transaction
TRANSACTIONS = {"writing": 1, "transaction": 0}  # call -> which argument is the name


class Nameless(Exception):
    """A point whose name is not written out where it stands: nobody could ask for it."""


def points(root: Path = ROOT) -> list[str]:
    """In alphabetical order, each once. Raises Nameless."""
    return sorted({name for package in PACKAGES for file in (root / package).rglob("*.py") for name in named(file)})


def named(file: Path) -> Iterator[str]:
    """The points in one file."""
    tree = ast.parse(file.read_text("utf-8"))
    handed_on = {argument for function in _functions(tree) for argument in _arguments(function)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for name in _names(call):
            if isinstance(name, str):
                yield name
            elif not (isinstance(name, ast.Name) and name.id in handed_on):
                raise Nameless(f"{file}:{call.lineno}")


def _names(call: ast.Call) -> Iterator[str | ast.expr]:
    """What the call names: point names, or expressions that are none."""
    called = (call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")).lstrip("_")
    if called == "fp":
        yield from _literal(call.args[0], ("",))
    elif called in TRANSACTIONS and len(call.args) > TRANSACTIONS[called]:
        yield from _literal(call.args[TRANSACTIONS[called]], STAGES)


def _literal(argument: ast.expr, stages: tuple[str, ...]) -> Iterator[str | ast.expr]:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield from (f"{argument.value}.{stage}".rstrip(".") for stage in stages)
    elif not isinstance(argument, ast.JoinedStr):  # models/database.py builds the stages' names from its argument
        yield argument


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _arguments(function: ast.FunctionDef) -> Iterator[str]:
    return (argument.arg for argument in (*function.args.args, *function.args.kwonlyargs))
