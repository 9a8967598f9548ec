"""The contracts before datacontract-cli: they are what the standard means, and read the same by others.

Each promise is also seen to be broken.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lake.catalog import CONTRACTS, catalog, shop_tables
from lake.contract import ContractError, read_contract
from tests.support.datacontract import DataContractCli, DataContractUnavailable, Finding, install
from tests.support.platforms import Platform
from tests.support.rows import customer, order, product, put

# The first of these tests makes the tool's environment.
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]

FILES = sorted(CONTRACTS.glob("*.yaml"))
MAKE: dict[str, Callable[..., dict[str, Any]]] = {"customers": customer, "orders": order, "products": product}


def not_passed(findings: list[Finding]) -> set[tuple[str, str | None, str]]:
    return {(each.result, each.column, each.kind) for each in findings if each.result != "passed"}


def fill(platform: Platform, table: str, hours_old: float, *rows: dict[str, Any]) -> None:
    """Put in two usual rows, and one for each of `rows`, which say in what it differs."""
    usual = {"updated_at": dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours_old)}
    put(platform, table, *(MAKE[table](id_, **usual | row) for id_, row in enumerate([{}, {}, *rows])))


def hours_allowed(table: str) -> int:
    hours = catalog()[table].freshness_hours
    assert hours
    return hours


@pytest.mark.parametrize("contract", FILES, ids=[file.stem for file in FILES])
def test_a_contract_is_good_odcs(datacontract: DataContractCli, contract: Path) -> None:
    findings = datacontract.lint(contract)
    assert findings
    assert not_passed(findings) == set()


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        pytest.param(
            lambda column: column.update(requird=column.pop("required")), "requird", id="a misspelt key"
        ),
        pytest.param(lambda column: column.update(required="perhaps"), "required", id="no yes or no"),
    ],
)
def test_a_broken_contract_is_refused_there_and_here(
    datacontract: DataContractCli, tmp_path: Path, break_it: Callable[[dict[str, Any]], object], told: str
) -> None:
    document = yaml.safe_load((CONTRACTS / "orders.yaml").read_text(encoding="utf-8"))
    break_it(document["schema"][0]["properties"][1])
    contract = tmp_path / "orders.yaml"
    contract.write_text(yaml.safe_dump(document), encoding="utf-8")
    # A key that it does not know is a warning to the tool, which ignores it.
    reasons = [each.reason for each in datacontract.lint(contract) if each.result != "passed"]
    assert any(told in reason for reason in reasons), reasons
    with pytest.raises(ContractError):
        read_contract(contract)


@pytest.mark.parametrize("table", shop_tables())
def test_a_table_made_from_its_contract_keeps_it(
    datacontract: DataContractCli, platform: Platform, table: str
) -> None:
    fill(platform, table, hours_allowed(table) - 1)
    findings = datacontract.test(CONTRACTS / f"{table}.yaml", platform.dsn)
    assert not_passed(findings) == set()
    typed = {each.column for each in findings if each.kind == "field_physical_type"}
    assert typed == {column.name for column in catalog()[table].columns}


@dataclass(frozen=True)
class Damage:
    """What is done to a table, and all that is then found of it."""

    table: str
    change: str
    rows: tuple[dict[str, Any], ...]
    found: set[tuple[str, str, str]]
    hours_late: int = -1


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(
            Damage(
                "orders",
                "alter column amount type numeric(14,4)",
                ({"status": "lost"}, {"status": None}, {"amount": 0}, {"quantity": 101}),
                {
                    ("failed", "amount", "field_physical_type"),
                    ("failed", "amount", "field_not_equal"),
                    ("failed", "quantity", "field_maximum"),
                    ("failed", "status", "field_invalid_values"),
                    ("failed", "status", "field_required"),
                },
            ),
            id="row rules, a bound itself among them",
        ),
        pytest.param(
            Damage(
                "customers",
                "alter column customer_id type integer",
                ({"region": None},),
                {
                    ("failed", "customer_id", "field_physical_type"),
                    ("warning", "region", "field_null_values"),
                },
            ),
            id="a warning: a third, not one row in a hundred",
        ),
        pytest.param(
            Damage(
                "products",
                "alter column unit_cost type double precision",
                (),
                {
                    ("failed", "unit_cost", "field_physical_type"),
                    ("failed", "updated_at", "servicelevel_freshness"),
                },
                hours_late=1,
            ),
            id="stale, by the hours that the code reads in it",
        ),
    ],
)
def test_a_table_that_breaks_its_contract_is_found_column_by_column(
    datacontract: DataContractCli, platform: Platform, damage: Damage
) -> None:
    fill(platform, damage.table, hours_allowed(damage.table) + damage.hours_late, *damage.rows)
    platform.execute(f"alter table {damage.table} {damage.change}")
    findings = datacontract.test(CONTRACTS / f"{damage.table}.yaml", platform.dsn)
    assert not_passed(findings) == damage.found


def test_a_tool_that_cannot_be_installed_is_told_of(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"nothing @ {(tmp_path / 'nothing.whl').as_uri()} --hash=sha256:{'0' * 64}\n")
    with pytest.raises(DataContractUnavailable, match=r"cannot be installed: .*nothing\.whl"):
        install(tmp_path / "home", requirements)
    assert not (tmp_path / "home" / "installed").exists()
