"""stockpyl, a library of inventory theory, in a virtual environment of its own: it wants a Sphinx of 2022."""

import json
import subprocess
from pathlib import Path

from blocks.settings.environment import REPOSITORY
from tests.support.datacontract import install

REQUIREMENTS = Path(__file__).with_name("stockpyl-requirements.txt")
HOME = REPOSITORY / "data" / "stockpyl"
PROGRAM = Path(__file__).with_name("stockpyl_oracle.py")


def base_stock_levels(cases: list[tuple[float, float, float]]) -> list[int]:
    """The newsvendor's optimal levels for (mean, variance, service level), as stockpyl says.

    Raises DataContractUnavailable if it cannot be installed.
    """
    python = install(HOME, REQUIREMENTS).with_name("python")
    ended = subprocess.run(
        # Not with the program's folder: this file has the library's name.
        [python, "-P", PROGRAM],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=120,
        cwd=HOME,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
