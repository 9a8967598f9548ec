"""A day with dlt and dbt: `python -m benchmarks.dlt_dbt YYYY-MM-DD`, each in a process of its own, both timed.

Written as their documentation suggests: rows that changed since the last load, merged by key; lines of clicks
as they are; types, rules, duplicates and marts in dbt, with its tests. No gates before the marts, no versions,
no alerts.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.contender import Inputs, step
from benchmarks.dlt_dbt.environment import programs

HERE = Path(__file__).parent
PROJECT = HERE / "project"
DATABASE = "shop.duckdb"


def main() -> None:
    """Load and build one day."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("day")
    day, inputs = parser.parse_args().day, Inputs.from_environment()
    home = inputs.lake.parent
    installed = programs(home)
    variables = os.environ | {
        "SHOP_DUCKDB": str(inputs.lake / DATABASE),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DLT_DATA_DIR": str(home / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    load = [str(installed / "python"), str(HERE / "load.py"), day]
    build = [str(installed / "dbt"), "--quiet", "build", "--project-dir", str(PROJECT)]
    for name, command in (("dlt", load), ("dbt", [*build, "--vars", f"{{day: '{day}'}}"])):
        with step(name):
            subprocess.run(command, env=variables, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
