"""A semantic layer of one hand-made mart, which needs no dbt, and the mart."""

from decimal import Decimal

from tasks.bi.semantic_layer import Aggregate, Column, Link, Mart, Ratio, SemanticLayer, SemanticModel

# More digits than a double has, to the cent.
GREAT = Decimal("12345678901234567890.12")
MART = f"""
create schema gold;
create table gold.sales as
select * from (
    values
        (1, date '2024-03-01', 'north', 'Ada', {GREAT}::decimal(38, 2), 3::hugeint, true, timestamp '2024-03-01 08:00:00.000001', 50.25),
        (2, null, null, null, null, null, null, null, null)
) as t (sale_id, sale_date, region, customer_name, sale_amount, total_pieces, is_late, updated_at, margin_pct);
"""


def column(name: str, kind: str, **values: object) -> Column:
    return Column.model_validate({"name": name, "kind": kind, "description": f"What {name} is."} | values)


SALES = Mart(
    name="sales",
    description='All "sales" & more.',
    columns=[
        column("sale_id", "whole"),
        column("sale_date", "date"),
        column("region", "text"),
        column("customer_name", "text", is_personal=True),
        column("sale_amount", "number"),
        column("total_pieces", "whole"),
        column("is_late", "boolean"),
        column("updated_at", "time"),
        column("margin_pct", "number"),
    ],
)
WORDS = {"description": "What it is.", "grain": "sales; may be added up", "owner": "Sales"}
MODEL = SemanticModel(
    name="sales",
    label="Sales",
    description="All sales.",
    mart=SALES,
    key="sale_id",
    dimensions=["sale_date", "region"],
    links=[Link(column="region", model="regions", key="region_id")],
    aggregates=[
        Aggregate(
            name="total_revenue",
            label="Revenue",
            format="money",
            aggregation="sum",
            expression="sale_amount + 0",
            **WORDS,
        ),
        Aggregate(
            name="total_pieces",
            label="Pieces",
            format="count",
            aggregation="sum",
            expression="total_pieces",
            **WORDS,
        ),
        Aggregate(
            name="total_regions",
            label="Regions",
            format="count",
            aggregation="count_distinct",
            expression="region",
            **WORDS,
        ),
    ],
    ratios=[
        Ratio(
            name="piece_share",
            label="Share of pieces",
            format="percent",
            numerator="total_pieces",
            denominator="total_regions",
            **WORDS,
        )
    ],
)
LAYER = SemanticLayer(marts=[SALES], models=[MODEL])
