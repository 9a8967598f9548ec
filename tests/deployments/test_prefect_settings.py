"""Settings of Prefect in pyproject.toml: misspelt, they would count for nothing, and nobody would say so."""

import datetime as dt

import pytest
from prefect.settings import Settings

from blocks.settings.environment import REPOSITORY


def test_a_server_that_is_started_here_forgets_old_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    vacuum = Settings().server.services.db_vacuum
    assert vacuum.enabled_vacuum_types >= {"events", "flow_runs"}
    assert vacuum.retention_period == dt.timedelta(days=90)
