"""The daily report's charts, as plotly figures.

Colours are Okabe and Ito's, which people of any colour vision can distinguish. The page sets those of text
and grid, light or dark. A table beside each chart has the same figures.
"""

import datetime as dt
import textwrap
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from tasks.ledger.queries import QualityDay
from tasks.report.models import Day, QuarantineReason, Segment, Share

BLUE, ORANGE, VERMILLION, GREY = "#0072B2", "#E69F00", "#D55E00", "#9AA5AE"
ROW_HEIGHT = 34
LONGEST_LINE = 24
PIXELS_PER_CHARACTER = 7.5


def sales_by_day(days: list[Day], usual: float | None) -> go.Figure:
    """Revenue of each day as a bar, the last one in colour; the mean of the week before it as a line."""
    revenue = [float(day.revenue) for day in days]
    # Text, not dates: a phone has room for some of them, and plotly would show times between them.
    names = [_day(day.date) for day in days]
    figure = go.Figure(
        go.Bar(
            x=names,
            y=revenue,
            marker_color=[GREY] * (len(days) - 1) + [BLUE],
            hovertemplate="%{x}: %{y:,.2f}<extra></extra>",
        )
    )
    if usual is not None:
        figure.add_scatter(
            x=names[-8:-1],
            y=[usual] * len(names[-8:-1]),
            mode="lines",
            line={"color": ORANGE, "width": 3},
            hovertemplate="mean of the week before: %{y:,.2f}<extra></extra>",
        )
    figure.add_annotation(
        x=names[-1], y=revenue[-1], text=_short(revenue[-1]), yanchor="bottom", showarrow=False
    )
    figure.update_xaxes(type="category", nticks=6, tickangle=0)
    figure.update_yaxes(range=[0, max(revenue) * 1.12 or 1], tickformat="~s", nticks=5)
    return _plain(figure, height=280)


def sales_against_usual(shares: list[Share]) -> go.Figure:
    """A bar per part of the day's revenue, and a tick where the week before had its mean."""
    return _against_usual(shares, [_short(float(share.value)) for share in shares])


def funnel(steps: list[Share]) -> go.Figure:
    """A bar per step, with its share of the first one, and a tick where the week before had its mean."""
    return _against_usual(
        steps, [f"{_short(float(step.value))} · {step.value / steps[0].value:.0%}" for step in steps]
    )


def segments_by_revenue(segments: list[Segment]) -> go.Figure:
    """A bar per RFM segment: its revenue of all time, and its share of the total."""
    total = sum(segment.revenue for segment in segments)
    return _bars(
        [segment.name.replace("_", " ") for segment in segments],
        [float(segment.revenue) for segment in segments],
        [f"{_short(float(segment.revenue))} · {segment.revenue / total:.0%}" for segment in segments],
    )


def quality_by_day(days: list[QualityDay], minimum: float) -> go.Figure:
    """A line: the share of rows that passed the row rules, per day; and the share that raises an alert."""
    scored = [day for day in days if day.score is not None]
    names = [_day(day.ds) for day in scored]
    scores = [day.score for day in scored]
    figure = go.Figure(
        go.Scatter(
            x=names,
            y=scores,
            mode="lines+markers",
            line={"color": BLUE, "width": 2},
            marker={"size": 8},
            hovertemplate="%{x}: %{y:.2%}<extra></extra>",
        )
    )
    figure.add_hline(
        y=minimum,
        line={"color": VERMILLION, "width": 2, "dash": "dot"},
        annotation={
            "text": f"alert below {minimum:.0%}",
            "xanchor": "left",
            "yanchor": "bottom",
            "x": 0,
        },
    )
    figure.update_xaxes(type="category", nticks=6, tickangle=0)
    lowest = min([minimum, *(score for score in scores if score is not None)])
    figure.update_yaxes(tickformat=".0%", nticks=5, range=[lowest - (1 - lowest) * 0.2, 1.002])
    return _plain(figure, height=220)


def open_quarantine(reasons: list[QuarantineReason]) -> go.Figure:
    """A bar per reason: its rows in open quarantine."""
    rows = [reason.rows for reason in reasons]
    return _bars([reason.reason for reason in reasons], rows, [_short(each) for each in rows])


def _against_usual(shares: list[Share], texts: list[str]) -> go.Figure:
    figure = _bars([share.name for share in shares], [float(share.value) for share in shares], texts)
    known = [(row, float(share.usual)) for row, share in enumerate(shares) if share.usual is not None]
    figure.add_scatter(
        y=[row for row, _ in known],
        x=[usual for _, usual in known],
        mode="markers",
        marker={"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": ORANGE}},
        hovertemplate="mean of the week before: %{x:,.2f}<extra></extra>",
    )
    return figure


def _bars(names: list[str], values: Sequence[float], texts: list[str]) -> go.Figure:
    """A horizontal bar per name, the first on top; at the right end of each row a text instead of an axis."""
    rows = list(range(len(names)))
    figure = go.Figure(
        go.Bar(
            y=rows, x=list(values), orientation="h", marker_color=BLUE, hovertemplate="%{x:,}<extra></extra>"
        )
    )
    room = 12 + PIXELS_PER_CHARACTER * max(map(len, texts), default=0)
    for row, text in zip(rows, texts, strict=True):
        figure.add_annotation(
            x=1, xref="x domain", xanchor="right", xshift=room, y=row, text=text, showarrow=False
        )
    figure.update_xaxes(visible=False, rangemode="tozero")
    # Rows by number: two names may be equal once they are cut.
    figure.update_yaxes(
        tickvals=rows,
        ticktext=[_label(name) for name in names],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        ticks="",
    )
    _plain(figure, height=ROW_HEIGHT * max(len(rows), 1))
    return figure.update_layout(margin={"t": 0, "r": room})


def _plain(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        template=None,
        height=height,
        margin={"l": 0, "r": 0, "t": 10, "b": 0, "pad": 6},
        showlegend=False,
        bargap=0.25,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"align": "left"},
        dragmode=False,
    )
    # A finger that scrolls the page must not zoom the chart.
    figure.update_xaxes(fixedrange=True, automargin=True, showgrid=False, zeroline=False)
    figure.update_yaxes(fixedrange=True, automargin=True, zeroline=False)
    return figure


def _day(date: dt.date) -> str:
    return f"{date.day} {date:%b}"


def _label(name: str) -> str:
    """A name on two lines at most, as plotly shows it unchanged: it reads the tags of a kind of HTML."""
    lines = textwrap.wrap(name, LONGEST_LINE, max_lines=2, placeholder="…")
    return "<br>".join(escape(line, quote=False) for line in lines)


def _short(value: float) -> str:
    """A figure of few digits: 987, 12.3k, 4.56M."""
    if value >= 1e6:
        return f"{value / 1e6:,.2f}M"
    return f"{value / 1e3:,.1f}k" if value >= 1e4 else f"{value:,.0f}"
