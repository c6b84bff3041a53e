"""The API description (OpenAPI 3.1) of a route table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec
from openapi_pydantic import OpenAPI

from livemon.api.models import Failure
from livemon.api.route import Route

_REF: Final = "#/components/schemas/{name}"


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the description as JSON-able objects; raises ValueError if it were not valid OpenAPI."""
    routes = tuple(routes)
    types = {kind for route in routes for kind in (route.request, route.response) if kind is not None} | {Failure}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    names = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, names)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "livemon", "version": _version()},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "livemon"}},
        },
    }
    OpenAPI.model_validate(document)
    return document


def _operation(route: Route, names: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "x-right": route.right,
        "responses": {
            str(route.status if route.response else 204 if route.status == 200 else route.status): _answer(
                route, names
            ),
            "default": {"description": "A refusal", "content": {"application/json": {"schema": names[Failure]}}},
        },
    }
    if route.right != "public":
        operation["security"] = [{"session": []}]
    parameters = re.findall(r"{(\w+)}", route.path)
    if parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in parameters
        ]
    if route.request is not None:
        content: dict[str, Any] = {"application/json": {"schema": names[route.request]}}
        if route.sdp:
            content["application/sdp"] = {"schema": {"type": "string"}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _answer(route: Route, names: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.summary}
    if route.response is not None:
        answer["content"] = {"application/json": {"schema": names[route.response]}}
        if route.sdp:
            answer["content"]["application/sdp"] = {"schema": {"type": "string"}}
    return answer


def _name(route: Route) -> str:
    words = re.findall(r"\w+", route.path.removeprefix("/api"))
    return "_".join((route.method.lower(), *words))


def _version() -> str:
    try:
        return version("livemon")
    except PackageNotFoundError:
        return "0"  # run from a source tree that is not installed
