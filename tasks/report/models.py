"""The data of the daily report: small models that its queries fill, and its template and charts read."""

import datetime as dt
from decimal import Decimal

from pydantic import BaseModel

from tasks.ledger.queries import QualityDay
from tasks.words import words

# The day's figures, by their fields below, and the metric that each of them is: its words are the metric's.
FIGURES = {
    "revenue": "total_revenue",
    "orders": "total_orders",
    "average_order": "avg_order_value",
    "customers": "unique_customers",
    "margin_pct": "profit_margin",
    "conversion_pct": "conversion_rate",
}


class Totals(BaseModel):
    """Sums of a day, or means of several; the ratios are of those."""

    orders: Decimal = Decimal()
    customers: Decimal = Decimal()
    revenue: Decimal = Decimal()
    known_cost_revenue: Decimal = Decimal()
    profit: Decimal = Decimal()
    sessions: Decimal = Decimal()
    purchases: Decimal = Decimal()

    @property
    def average_order(self) -> Decimal | None:
        """Revenue per order."""
        return self.revenue / self.orders if self.orders else None

    @property
    def margin_pct(self) -> Decimal | None:
        """Profit in per cent of the revenue whose cost is known."""
        return 100 * self.profit / self.known_cost_revenue if self.known_cost_revenue else None

    @property
    def conversion_pct(self) -> Decimal | None:
        """Sessions that bought, in per cent of all sessions."""
        return 100 * self.purchases / self.sessions if self.sessions else None


class Day(Totals):
    """One business day."""

    date: dt.date

    @property
    def headline(self) -> dict[str, str]:
        """The figures as people read them, by the labels of their metrics."""
        return {
            words()[metric].label: _text(getattr(self, field), words()[metric].format)
            for field, metric in FIGURES.items()
        }


class Share(BaseModel):
    """A part of something on the day, beside its mean over the week before (None: no such week)."""

    name: str
    value: Decimal
    usual: Decimal | None


class Segment(BaseModel):
    """An RFM segment, over all time."""

    name: str
    customers: int
    revenue: Decimal
    recency_days: float


class StockItem(BaseModel):
    """A product that is out or low; `days_of_cover` is None if it does not sell."""

    product_id: int | str
    product_name: str
    category: str
    on_hand: int
    units_per_day: float
    days_of_cover: float | None
    reorder_point: float
    state: str


class Stock(BaseModel):
    """Products by state, and the worst of them, worst first."""

    states: dict[str, int]
    newest_event_at: dt.datetime | None
    at_risk: list[StockItem]


class QuarantineReason(BaseModel):
    """Rows in open quarantine for one reason; `samples` are keys, newest first."""

    source: str
    reason: str
    rows: int
    rows_of_day: int
    newest_ds: dt.date
    samples: list[str]


class ReportData(BaseModel):
    """Everything on the page but the run itself. `days` end with the day of the report."""

    ds: dt.date
    days: list[Day]
    week: Totals | None
    """Means of the week before; None on the shop's first day."""
    sales: dict[str, list[Share]]
    funnel: list[Share]
    segments: list[Segment]
    stock: Stock
    quality: list[QualityDay]
    quarantine: list[QuarantineReason]

    @property
    def day(self) -> Day:
        """The day of the report."""
        return self.days[-1]

    @property
    def day_before(self) -> Day | None:
        """The day before, if the shop was there."""
        return self.days[-2] if len(self.days) > 1 else None


def _text(value: Decimal | None, format: str) -> str:
    """A figure as text; one in per cent is 100 times its metric already."""
    if value is None:
        return "-"
    return {"money": f"{value:,.2f}", "count": f"{value:,.0f}", "percent": f"{value:.1f} %"}[format]
