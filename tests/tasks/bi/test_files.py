"""The files for BI tools in a run: written, or said why not, and the run goes on."""

import subprocess
import sys
from pathlib import Path

import pytest
from prefect import flow

from blocks.settings.environment import REPOSITORY
from blocks.settings.extras import PACKAGES, check_extra
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from tasks.bi.files import bi_folder, refresh_extracts, write_metrics
from tasks.timing import Steps, current


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of a platform without a warehouse."""
    monkeypatch.setenv("DUCKDB_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("BI_DIR", str(tmp_path / "bi"))
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    return Settings()


@flow
def write_both(settings: Settings) -> tuple[list[Path] | None, list[Path] | None]:
    return write_metrics(settings), refresh_extracts(settings)


@pytest.mark.usefixtures("prefect_server")
def test_a_run_without_the_extra_says_so_and_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(PACKAGES, "bi", ("lkml", "not_installed"))
    assert write_both(settings) == (None, None)
    said = [record.getMessage() for record in caplog.records if "extra" in record.getMessage()]
    assert said == [
        "no files for Looker: the extra bi is missing (not_installed); install it: `make bi`, or "
        "`pip install --no-deps --require-hashes -r requirements-bi.txt`"
    ]
    assert not bi_folder(settings).exists()


@pytest.mark.usefixtures("prefect_server")
def test_extracts_that_are_asked_for_and_cannot_be_written_are_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TABLEAU_EXTRACTS", "true")
    steps = Steps()
    with current(steps):
        assert write_both(Settings()) == (None, None)
    assert "no files for Looker: " in caplog.text
    assert "no Tableau extracts: " in caplog.text
    # People are told, with the run, and what they can call.
    looker, extracts = steps.remarks
    assert looker.startswith("no files for Looker: DUCKDB_PATH")
    assert extracts.startswith("no Tableau extracts: DUCKDB_PATH")
    assert extracts.endswith("until `python -m flows.bi tableau`")


def test_flows_and_blocks_do_without_the_extra() -> None:
    program = (
        f"import sys; sys.modules |= dict.fromkeys({(*PACKAGES['bi'], 'metricflow')}); "
        "import flows.daily, flows.data_quality, flows.bi; "
        "from blocks.system_block import system_blocks; print(len(system_blocks()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "9\n"), done.stderr


def test_the_extra_is_there() -> None:
    """`make test` installs it."""
    check_extra("bi")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "bi", ("lkml", "not_installed", "neither"))
    with pytest.raises(PermanentFailure, match=r"the extra bi is missing \(not_installed, neither\)"):
        check_extra("bi")


def test_another_platform_has_a_folder_of_its_own(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bi_folder(settings) == tmp_path / "bi"
    monkeypatch.setenv("PLATFORM", "staging")
    assert bi_folder(settings) == tmp_path / "bi" / "staging"
