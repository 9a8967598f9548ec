"""A run goes on though whoever read its output is gone: its worker has died."""

import subprocess
import sys
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY

RUN = """
import sys
from pathlib import Path
from prefect.logging import get_logger
from prefect.logging.configuration import setup_logging
from rich.console import Console
from tasks.runs.console import outlive_reader

setup_logging()
if sys.argv[1] == "outlives":
    outlive_reader()
print("begun", flush=True)
sys.stdin.readline()
get_logger("run").warning("a line that nobody reads")
Console().print("and the summary")
print("and what dbt says", flush=True)
Path(sys.argv[2]).write_text("done")
"""


@pytest.mark.parametrize(
    ("how", "end"), [pytest.param("outlives", 0, id="ours"), pytest.param("dies", 1, id="by default")]
)
def test_a_run_outlives_the_reader_of_its_output(tmp_path: Path, how: str, end: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN, how, str(tmp_path / "end")],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdin
        assert run.stdout
        assert run.stdout.readline() == "begun\n"
        run.stdout.close()
        run.stdin.write("go on\n")
        run.stdin.flush()
        assert run.wait(120) == end
    assert (tmp_path / "end").exists() == (end == 0)
