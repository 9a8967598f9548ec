"""The rooms: no circle, only the imports that docs/architecture.md allows, none crowded, no module long.

Each promise is also seen to be broken, by one thing put back into the real tree.
"""

from dataclasses import dataclass

import pytest

from blocks.settings.environment import REPOSITORY
from tests.support.rooms import MAY_IMPORT, MOST_LINES, MOST_MODULES, Tree, problems, read_tree, room_of


@pytest.fixture(scope="module")
def tree() -> Tree:
    return read_tree(REPOSITORY)


def test_the_rooms_are_in_order(tree: Tree) -> None:
    assert problems(tree) == []


def test_all_rooms_are_seen(tree: Tree) -> None:
    assert {module.split(".")[0] for module in tree} == set(MAY_IMPORT)
    assert len({room_of(module) for module in tree}) > 20
    assert len(tree) > 150


@dataclass(frozen=True)
class PutBack:
    """A line added to a module of the tree, and what is then said."""

    module: str
    line: str
    problem: str


@pytest.mark.parametrize(
    "put_back",
    [
        pytest.param(
            PutBack("lake.delta", "from lake.catalog import catalog\nfrom lake import delta", ""),
            id="nothing is wrong with an import inside a room",
        ),
        pytest.param(
            PutBack("lake.contract", "from lake.catalog import catalog", "a circle of modules"),
            id="a circle",
        ),
        pytest.param(
            PutBack(
                "lake.contract", "def late():\n    from lake.catalog import catalog", "a circle of modules"
            ),
            id="a circle hidden in a function",
        ),
        pytest.param(
            PutBack(
                "lake.contract",
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lake.catalog import catalog",
                "a circle of modules",
            ),
            id="a circle hidden from all but type checkers",
        ),
        pytest.param(
            PutBack(
                "tasks.warehouse.load", "from tasks.inventory.silver import write_silver", "a circle of rooms"
            ),
            id="a circle of rooms, without one of modules",
        ),
        pytest.param(
            PutBack(
                "spark_jobs.rows",
                "from blocks.settings.failures import DataFailure",
                "spark_jobs.rows may not import",
            ),
            id="an import that is not allowed",
        ),
        pytest.param(
            PutBack("flows.daily", "import spark_jobs.rows", "flows.daily may not import spark_jobs.rows"),
            id="an import that is not allowed, the other way to write it",
        ),
        pytest.param(
            PutBack("lake.delta", "# a line\n" * MOST_LINES, "lake.delta has"),
            id="a long module",
        ),
    ],
)
def test_each_promise_is_seen_to_be_broken(tree: Tree, put_back: PutBack) -> None:
    found = problems(tree | {put_back.module: f"{tree[put_back.module]}\n{put_back.line}\n"})
    assert len(found) == bool(put_back.problem), found
    assert all(put_back.problem in problem for problem in found)


def test_a_crowded_room_is_seen(tree: Tree) -> None:
    more = {f"lake.more_{number}": '"""A module."""\n' for number in range(MOST_MODULES)}
    assert [problem for problem in problems(tree | more) if problem.startswith("lake holds")]
