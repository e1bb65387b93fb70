"""The custom fields: what a bench is given at once is what the command asks Zoho for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.engine.setup import set_up
from sagezoho_pipelines.mappings import custom_fields
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.bench import Bench, bench, settings_for


def _fields(desk: Bench) -> dict[str, list[Any]]:
    modules = desk.sandbox.zoho_crm.world.org.modules
    return {name: [replace(field, id=0, picks=[]) for field in one.fields.values()] for name, one in modules.items()}


@pytest.mark.parametrize("edition", ["standard", "professional", "enterprise"])
def test_a_bench_has_the_fields_that_setup_makes(engine: Engine, edition: str) -> None:
    with bench(engine, vendors=2, deals=0, edition=edition) as desk:
        given = _fields(desk)
        assert {report.state for report in set_up(desk.zoho(), custom_fields())} <= {"present", "skipped"}
        assert _fields(desk) == given
    with Sandbox.running(vendors=2, deals=0, edition=edition) as sandbox:
        desk = Bench(sandbox, engine, settings_for(sandbox))
        assert {report.state for report in set_up(desk.zoho(), custom_fields())} <= {"created", "skipped"}
        assert _fields(desk) == given
