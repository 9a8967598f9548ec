"""How many histories are tried, and the parts that all of them share.

The default profile is derandomised: a red build is then due to the change at hand, and the same histories
fail on any machine. `--hypothesis-profile=nightly` tries a hundred, `thorough` a thousand, new ones each time; a
failure prints the line (`@reproduce_failure`) that repeats it. `unshrunk` is for work on a bug: it stops at the first
failing history, instead of spending five minutes on a smaller one. Name tests/properties on the command line when
you name a profile: pytest must have read this file by then.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.properties.model import ShopModel
from tests.properties.shop import MASS_DELETE_ROWS, MASS_DELETE_SHARE
from tests.support.platforms import Platform

COMMON = settings(
    deadline=None, print_blob=True, report_multiple_bugs=False, suppress_health_check=list(HealthCheck)
)
settings.register_profile("ci", COMMON, max_examples=24, derandomize=True)
settings.register_profile("nightly", COMMON, max_examples=100)
settings.register_profile("thorough", COMMON, max_examples=1000)
settings.register_profile("unshrunk", COMMON, max_examples=24, derandomize=True, phases=[Phase.generate])
# A profile named on the command line is loaded by Hypothesis' own plugin, after this file.
settings.load_profile("ci")

MEMORY = Path("/dev/shm")


@pytest.fixture
def law_platform(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A shop, lake and warehouse for many histories, in memory where the machine has such a place."""
    folder = Path(tempfile.mkdtemp(prefix="law-", dir=MEMORY if MEMORY.is_dir() else None))
    made = Platform(dsn=database, folder=folder)
    for name, value in {
        "SHOP_DSN": made.dsn,
        "CLICKSTREAM_URI": made.clickstream.as_uri(),
        "LAKE_URI": made.lake.root,
        "DUCKDB_PATH": str(made.warehouse),
        "SHOP_TIMEZONE": "UTC",
        "SPARK_REMOTE": "",
        "DBT_TARGET_PATH": str(folder / "dbt_target"),
        "MASS_DELETE_ROWS": str(MASS_DELETE_ROWS),
        "MASS_DELETE_SHARE": str(MASS_DELETE_SHARE),
    }.items():
        monkeypatch.setenv(name, value)
    yield made
    shutil.rmtree(folder)


@pytest.fixture
def model(law_platform: Platform) -> Iterator[ShopModel]:
    """The source's tables, and the law's views over them."""
    made = ShopModel.create(law_platform.dsn)
    yield made
    made.connection.close()
