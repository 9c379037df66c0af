"""The description of the API holds for what is sent by it, well-formed or not: no error of ours, no answer it hides.

Schemathesis makes the requests from the description alone; more of them with `--examples N`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.db import Database
from app.identity.roles import Role
from app.web.app import create_app
from connectors.sandbox.server import serve
from tests.app.api.programs import a_token, bearing
from tests.app.waiting.questions import a_question
from tests.app.web.door import TENANT, Door, settings_of

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def api(database: Database, database_url: str, tmp_path: Path) -> Iterator[tuple[FastAPI, str, str]]:
    app = create_app(settings_of(tmp_path), database_url)

    async def prepare() -> str:
        token = await a_token(database.tenant, TENANT, Role.ADMIN)
        for number in (1, 2):
            await a_question(Door(None, app, database), tmp_path, number)  # type: ignore[arg-type]  # it asks nobody
        await database.close()
        return token

    token = asyncio.run(prepare())
    with serve(app) as running:
        yield app, running.url, token


def test_whatever_is_sent_by_the_description_is_answered_as_it_says(
    api: tuple[FastAPI, str, str], request: pytest.FixtureRequest
) -> None:
    _, url, token = api
    examples = request.config.getoption("--examples")
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= 20

    for operation in operations:
        takes = any(True for _ in operation.iter_parameters()) or len(operation.body) > 0
        modes = list(GenerationMode) if takes else [GenerationMode.POSITIVE]
        for mode in modes:

            @settings(
                max_examples=max(1, examples // len(modes)),
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def answers(case: Any) -> None:
                case.call_and_validate(headers=bearing(token), checks=CHECKS)

            answers()


def test_every_route_of_the_api_is_described_and_on_its_page(api: tuple[FastAPI, str, str]) -> None:
    app, url, _ = api
    described = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json").raw_schema["paths"]
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    for path, methods in described.items():
        for method in methods:
            assert f"`{method.upper()} {path.removeprefix('/api/v1')}`" in page, (method, path)
    assert app.title == "Countersign"
