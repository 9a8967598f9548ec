"""Tableau's extracts, read back by Hyper, and their way to a server.

The server is a stand-in written by hand (tests/support/fake_tableau.py); no Tableau has opened these files here.
"""

import datetime as dt
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest

from blocks.settings.failures import PermanentFailure, TransientFailure
from lake.local_sql import connect
from tasks.bi.hyper import query_extract, write_extract
from tasks.bi.tableau import publish_data_sources, write_tableau_files
from tasks.warehouse.duckdb import DuckDBSession
from tests.support.bi_layer import GREAT, LAYER, MART, SALES
from tests.support.failing_checks import failure
from tests.support.fake_tableau import FakeTableau, fields, open_tableau


@pytest.fixture
def session() -> Iterator[DuckDBSession]:
    with connect() as connection:
        connection.execute(MART)
        yield DuckDBSession(connection)


@pytest.fixture
def tableau() -> Iterator[FakeTableau]:
    with open_tableau() as opened:
        yield opened


def test_an_extract_holds_every_row_to_the_cent(
    session: DuckDBSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    extract = tmp_path / "sales.hyper"
    write_extract(session, SALES, extract)
    assert query_extract(extract, 'select * from "Extract"."Extract" order by "sale_id"') == [
        (
            *(1, dt.date(2024, 3, 1), "north", GREAT, 3, True),
            *(dt.datetime.fromisoformat("2024-03-01 08:00:00.000001"), Decimal("50.25")),
        ),
        (2, None, None, None, None, None, None, None),
    ]
    # Hyper's log is not left where the run was started.
    assert [path.name for path in tmp_path.iterdir()] == ["sales.hyper"]


def test_files_are_replaced_as_a_whole(session: DuckDBSession, tmp_path: Path) -> None:
    folder = tmp_path / "tableau"
    write_tableau_files(session, LAYER, folder)
    (folder / "gone.tds").write_text("of a mart that is no more")
    session.execute("delete from gold.sales where sale_id = 2")
    assert write_tableau_files(session, LAYER, folder) == [folder / "sales.tds"]
    extract = folder / "Data" / "Extracts" / "sales.hyper"
    assert query_extract(extract, 'select count(*) from "Extract"."Extract"') == [(1,)]
    assert sorted(path.name for path in folder.iterdir()) == ["Data", "sales.tds"]


def test_a_package_of_source_and_extract_is_published_over_the_last(
    session: DuckDBSession, tmp_path: Path, tableau: FakeTableau
) -> None:
    sources = write_tableau_files(session, LAYER, tmp_path / "tableau")
    publish_data_sources(sources, fields(tableau))
    assert tableau.published.keys() == {"sales"}
    with zipfile.ZipFile(BytesIO(tableau.published["sales"])) as package:
        assert package.namelist() == ["sales.tds", "Data/Extracts/sales.hyper"]
        assert package.read("sales.tds") == sources[0].read_bytes()
        package.extract("Data/Extracts/sales.hyper", tmp_path)
    published = tmp_path / "Data" / "Extracts" / "sales.hyper"
    assert query_extract(published, 'select sum("sale_amount") from "Extract"."Extract"') == [(GREAT,)]
    assert tableau.modes == ["datasourceType=tdsx&overwrite=true"]
    assert tableau.signed_out == 1


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (403, PermanentFailure, "refuses: Refused no; correct TABLEAU_SERVER_URL, TABLEAU_PROJECT or what"),
        (500, TransientFailure, "does not answer"),
    ],
)
def test_a_publish_that_is_refused_is_a_sentence(
    session: DuckDBSession, tmp_path: Path, tableau: FakeTableau, status: int, kind: type, sentence: str
) -> None:
    sources = write_tableau_files(session, LAYER, tmp_path / "tableau")
    tableau.status = status
    failed = failure(publish_data_sources, sources, fields(tableau))
    assert isinstance(failed, kind)
    assert sentence in str(failed)
    assert tableau.signed_out == 1
