"""Sweeps over the tree: promises that hold for every file."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY
from tests.support.variables import VARIABLES

PACKAGES = ("blocks", "demo", "deployments", "expectations", "flows", "lake", "spark_jobs", "tasks")
MODULES = sorted(chain.from_iterable((REPOSITORY / package).rglob("*.py") for package in PACKAGES))
# Of delta-rs. What Spark writes is written in spark_jobs/tables.py.
COMMITS = ("write_deltalake", "merge", "compact", "vacuum")
NAMED = [path for path in MODULES if path.name not in ("__init__.py", "__main__.py")]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def parametrized(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=map(name_of, paths))


def test_the_sweeps_see_the_tree() -> None:
    swept = {path.relative_to(REPOSITORY).parts[0] for path in NAMED}
    assert swept == set(PACKAGES)
    assert len(NAMED) > 40


@parametrized(NAMED)
def test_every_module_imports(path: Path) -> None:
    assert importlib.import_module(name_of(path)).__file__ == str(path)


@parametrized([path for path in MODULES if name_of(path) != "lake.local_sql"])
def test_duckdb_is_connected_in_one_place(path: Path) -> None:
    """The one that sets the time zone."""
    assert "duckdb.connect(" not in path.read_text(encoding="utf-8")


@parametrized([path for path in MODULES if name_of(path) != "tasks.warehouse.lake_lock"])
def test_every_commit_asks_for_the_right_to_write(path: Path) -> None:
    """By lake.delta.commit: a run that has lost it must not write."""
    commits = [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) in COMMITS
        # Of a merge's clauses, and others of these names.
        and (node.args or node.keywords)
    ]
    for call in commits:
        assert "commit_properties" in {word.arg for word in call.keywords}, f"line {call.lineno}"
    if name_of(path) != "lake.delta":
        assert "CommitProperties(" not in path.read_text(encoding="utf-8")


@parametrized([path for path in MODULES if path.read_text().strip()])
def test_every_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(tree(path))


def public_functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Public functions, classes and methods; properties named by their class speak for themselves."""
    for node in body:
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_functions(node.body, f"{node.name}.")


@parametrized(MODULES)
def test_every_public_function_has_a_docstring(path: Path) -> None:
    silent = [name for name, node in public_functions(tree(path).body) if not ast.get_docstring(node)]
    assert silent == []


@parametrized(sorted((REPOSITORY / "spark_jobs").rglob("*.py")))
def test_spark_jobs_know_nothing_of_prefect(path: Path) -> None:
    assert not any(package.startswith("prefect") for package in imports(path))


# Beside the flows, since that is where people look for them: commands that no schedule starts.
NO_FLOW = {
    "__init__.py",
    "bi.py",
    "connect.py",
    "features.py",
    "lineage.py",
    "status.py",
}
FLOWS = sorted(path for path in (REPOSITORY / "flows").rglob("*.py") if path.name not in NO_FLOW)


def test_no_flow_is_named_like_a_standard_module() -> None:
    """A Prefect worker puts flows/ first on sys.path: `flows/email.py` would hide `email`."""
    assert FLOWS
    assert {path.stem for path in FLOWS} & sys.stdlib_module_names == set()


@parametrized(FLOWS)
def test_a_flow_file_holds_one_flow_and_is_short(path: Path) -> None:
    flows = [
        node.name
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef)
        and any("flow" in ast.unparse(each) for each in node.decorator_list)
    ]
    assert len(flows) == 1
    assert len(path.read_text().splitlines()) <= 60


# Started by a person or a schedule. The others are steps: they need what the step before them returned.
RUNNABLE = ["backfill", "daily", "data_quality", "inventory", "maintenance", "rebuild", "replay", "restore"]


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_flow_that_people_start_is_runnable(name: str) -> None:
    last = tree(REPOSITORY / "flows" / f"{name}.py").body[-1]
    assert isinstance(last, ast.If)
    assert ast.unparse(last.test) == "__name__ == '__main__'"
    assert "from_command_line" in ast.unparse(last)


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_is_in_the_example_with_a_comment(variable: str) -> None:
    """A comment directly above the variable, or above the block of variables it belongs to."""
    lines = (REPOSITORY / ".env.example").read_text(encoding="utf-8").splitlines()
    (position,) = [number for number, line in enumerate(lines) if re.match(rf"#?\s?{variable}=", line)]
    above = lines[position - 1] if position else ""
    while position and re.match(r"#?\s?[A-Z_]+=", above):
        position -= 1
        above = lines[position - 1]
    assert re.match(r"# \S", above)


def test_the_example_names_no_unknown_variable() -> None:
    text = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?\s?([A-Z][A-Z_]+)=", text, re.MULTILINE))
    assert named
    assert named <= set(VARIABLES) | OTHERS


# Read by other programs than our settings.
OTHERS = {"PREFECT_API_URL", "PREFECT_API_KEY", "GX_ANALYTICS_ENABLED"}
