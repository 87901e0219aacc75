"""Amazon's own models, held against every request and answer that passes between our client and the simulator."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from jsonschema import Draft4Validator, Draft202012Validator
from referencing import Registry

FOLDER = Path(__file__).parent / "models"
APIS = ("listingsItems_2021-08-01", "feeds_2021-06-30", "definitionsProductTypes_2020-09-01")
FEED, REPORT = "listings-feed-schema-v2", "listings-feed-processing-report-schema-v2"


class Models:
    """Swagger 2.0, as far as these three files go: paths, parameters, bodies, answers."""

    @cached_property
    def _operations(self) -> list[tuple[str, re.Pattern[str], dict[str, Any], dict[str, Any]]]:
        found = []
        for name in APIS:
            model = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
            for path, methods in model["paths"].items():
                pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
                found += [(m.upper(), pattern, o, model) for m, o in methods.items() if m != "parameters"]
        return found

    @cached_property
    def _documents(self) -> dict[str, Any]:
        return {name: json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in (FEED, REPORT)}

    def operation(self, method: str, raw_path: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        return next((o[2:] for o in self._operations if o[0] == method and o[1].fullmatch(raw_path)), None)

    def check_request(self, request: httpx.Request, path: str) -> None:
        found = self.operation(request.method, raw(request))
        if found is None:
            assert path.startswith(("/auth/", "/documents/", "/schemas/")), f"{request.method} {path} is no operation"
            return
        operation, model = found
        self._check_query(operation["parameters"], request)
        body = next((p["schema"] for p in operation["parameters"] if p["in"] == "body"), None)
        assert (body is None) == (not request.content)
        if body is not None:
            check(json.loads(request.content), body, model)

    def _check_query(self, parameters: list[dict[str, Any]], request: httpx.Request) -> None:
        declared = {p["name"]: p for p in parameters if p["in"] == "query"}
        given = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
        assert set(given) <= set(declared), f"undeclared: {set(given) - set(declared)}"
        assert {n for n, p in declared.items() if p.get("required")} <= set(given)
        for name, text in given.items():
            one = declared[name]
            values = text.split(",") if one["type"] == "array" else [text]
            allowed = one.get("enum") or one.get("items", {}).get("enum")
            assert len(values) <= one.get("maxItems", len(values)), name
            assert not allowed or set(values) <= set(allowed), f"{name}={text}"

    def check_answer(self, request: httpx.Request, path: str, status: int, body: bytes) -> None:
        found = self.operation(request.method, raw(request))
        if found is None:
            return
        operation, model = found
        if str(status) in operation["responses"]:
            schema = operation["responses"][str(status)].get("schema")
            if schema:
                check(json.loads(body), schema, model)
        else:
            raise AssertionError(f"{status} is no answer of {operation['operationId']}")

    def check_feed(self, document: Any) -> None:
        Draft202012Validator(self._documents[FEED], registry=Registry()).validate(document)

    def check_report(self, report: Any) -> None:
        Draft202012Validator(self._documents[REPORT], registry=Registry()).validate(report)


def raw(request: httpx.Request) -> str:
    return request.url.raw_path.split(b"?")[0].decode().partition("/amazon")[2]


def check(value: Any, schema: dict[str, Any], model: dict[str, Any]) -> None:
    Draft4Validator({**schema, "definitions": model["definitions"]}, registry=Registry()).validate(value)
