"""Decisions as they are written on a command line."""

import pytest

from tasks.ingest.decisions import Decisions


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("orders", ("orders", None, []), id="a table"),
        pytest.param("orders:order_id=17,18", ("orders", "order_id", ["17", "18"]), id="values"),
        pytest.param(
            'customers:region="north, by the sea",south',
            ("customers", "region", ["north, by the sea", "south"]),
            id="a value with a comma",
        ),
    ],
)
def test_rows_to_read_again(text: str, parts: tuple[str, str | None, list[str]]) -> None:
    assert Decisions()._parts(text) == parts
