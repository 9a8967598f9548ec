"""The rooms of the repository as a graph of imports, and what is wrong with it.

Every import counts, also those inside functions and under TYPE_CHECKING: a circle is no smaller for being hidden.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# About a dozen.
MOST_MODULES = 13
MOST_LINES = 300
# What the modules of each room may import of ours, besides those of the same room (docs/architecture.md).
MAY_IMPORT = {
    "lake": set(),
    "blocks": set(),
    "spark_jobs": {"lake"},
    "expectations": {"lake", "spark_jobs"},
    "tasks": {"lake", "blocks", "spark_jobs", "expectations"},
    "flows": {"tasks", "blocks", "lake"},
    "deployments": {"flows", "tasks", "blocks"},
    "demo": {"lake", "blocks", "spark_jobs", "expectations", "tasks", "flows", "deployments"},
}
Tree = dict[str, str]
"""The text of each module, by its dotted name."""


def read_tree(repository: Path) -> Tree:
    """The modules of all rooms as they are."""
    return {
        ".".join(path.relative_to(repository).with_suffix("").parts): path.read_text(encoding="utf-8")
        for room in MAY_IMPORT
        for path in sorted((repository / room).rglob("*.py"))
    }


def problems(tree: Tree) -> list[str]:
    """Everything that is wrong, a sentence each."""
    graph = {module: set(imported(module, text, tree)) for module, text in tree.items()}
    return [
        *circles(graph, "modules"),
        *circles(_of_rooms(graph), "rooms"),
        *_forbidden(graph),
        *_crowded(tree),
        *_long(tree),
    ]


def imported(module: str, text: str, tree: Tree) -> Iterator[str]:
    """The modules of ours that a module imports, anywhere in it."""
    for name in _imports(text):
        found = name if name in tree else name.rpartition(".")[0]
        if found in tree and found != module:
            yield found


@cache
def _imports(text: str) -> list[str]:
    nodes = list(ast.walk(ast.parse(text)))
    return [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names] + [
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]


def circles(graph: dict[str, set[str]], what: str) -> list[str]:
    """One circle of the graph, if it has any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"a circle of {what}: {' -> '.join(error.args[1])}"]
    return []


def room_of(module: str) -> str:
    """The folder that a module lies in."""
    return module.rpartition(".")[0]


def _of_rooms(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    rooms: dict[str, set[str]] = {}
    for module, others in graph.items():
        rooms.setdefault(room_of(module), set()).update(map(room_of, others))
    return {room: others - {room} for room, others in rooms.items()}


def _forbidden(graph: dict[str, set[str]]) -> list[str]:
    return [
        f"{module} may not import {other}"
        for module, others in graph.items()
        for other in sorted(others)
        for room, foreign in [(module.split(".")[0], other.split(".")[0])]
        if foreign not in {room, *MAY_IMPORT[room]}
    ]


def _crowded(tree: Tree) -> list[str]:
    sizes = Counter(room_of(module) for module in tree if not module.endswith("__init__"))
    return [f"{room} holds {size} modules" for room, size in sizes.items() if size > MOST_MODULES]


def _long(tree: Tree) -> list[str]:
    lines = {module: len(text.splitlines()) for module, text in tree.items()}
    return [f"{module} has {count} lines" for module, count in lines.items() if count > MOST_LINES]
