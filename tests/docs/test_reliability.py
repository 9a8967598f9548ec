"""The fault table: every fault has a test that exists, and loses no row."""

import ast
import re

import pytest

from blocks.settings.environment import REPOSITORY

PAGE = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
COLUMNS = ["fault", "where", "what happened", "rows lost", "time to recover", "test"]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and "::test_" in line
]


def functions_of(path: str) -> set[str]:
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_tables_are_seen() -> None:
    heads = [line for line in PAGE.splitlines() if line.startswith("| fault")]
    assert len(heads) > 3
    assert {tuple(cell.strip() for cell in head.strip("|").split("|")) for head in heads} == {tuple(COLUMNS)}
    assert len(ROWS) > 25


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}, {row[1]}"[:60])
def test_every_fault_has_its_test_and_loses_nothing(row: list[str]) -> None:
    assert len(row) == len(COLUMNS)
    assert row[3].startswith("0"), "rows lost"
    assert row[4], "time to recover"
    [(path, name)] = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[5])
    assert name in functions_of(path)
