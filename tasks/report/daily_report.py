"""The daily report: one HTML page per business day, for people who do not write queries.

`<REPORT_DIR>/<ds>.html`, and `latest.html`, the newest day's. A page holds all it needs, plotly.js included,
and asks the network for nothing: it can be mailed, and opens offline.
"""

import base64
import datetime as dt
import gzip
import time
from functools import cache, partial

from plotly.offline import get_plotlyjs
from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.ledger.run import Run
from tasks.replaced_file import replace_file
from tasks.report import charts as charts
from tasks.report.models import FIGURES, ReportData
from tasks.report.queries import PARTS, Query, read_report_data
from tasks.report.site import address, documentation, folder
from tasks.templates.render import render
from tasks.timing import remark, timed
from tasks.warehouse.access import query_warehouse
from tasks.words import words

DAYS = "????-??-??.html"


@task(task_run_name="write-report")
@timed
def write_report(run: Run, settings: Settings, lake: Lake) -> tuple[str | None, dict[str, str]]:
    """Write the report about the day of `run`; returns its address, and the day's figures by their labels.

    Neither, and a warning, if it cannot be written: the marts are published, and a missing page must not fail
    their run.
    """
    try:
        return write_pages(run, settings, lake, partial(query_warehouse, settings))
    except Exception as error:
        get_run_logger().warning("no report for %s: %s: %s", run.ds, type(error).__name__, error)
        remark(f"no report for {run.ds}: {type(error).__name__}: {error}; a run of that day writes it")
        return None, {}


@task(task_run_name="remove-old-reports")
@timed
def remove_old_reports(settings: Settings) -> int:
    """Delete the pages that were written longer ago than `REPORT_RETENTION`; returns their number."""
    oldest = time.time() - settings.report_retention.total_seconds()
    old = [page for page in folder(settings).glob(DAYS) if page.stat().st_mtime < oldest]
    for page in old:
        page.unlink()
    return len(old)


def write_pages(run: Run, settings: Settings, lake: Lake, query: Query) -> tuple[str, dict[str, str]]:
    """Read, render and write the report; returns its address, and the day's figures by their labels.

    A reader never sees half a page.
    """
    data = read_report_data(query, lake, run.ds)
    page = render_report(run, data, settings)
    name = f"{run.ds}.html"
    reports = folder(settings)
    reports.mkdir(parents=True, exist_ok=True)
    replace_file(reports / name, page)
    if name == max(report.name for report in reports.glob(DAYS)):
        replace_file(reports / "latest.html", page)
    return address(settings, name), data.day.headline


def render_report(run: Run, data: ReportData, settings: Settings) -> str:
    """The page, as HTML."""
    usual = None if data.week is None else float(data.week.revenue)
    figures = {
        "sales-by-day": charts.sales_by_day(data.days, usual),
        **{f"sales-by-{column}": charts.sales_against_usual(shares) for column, shares in data.sales.items()},
        "funnel": charts.funnel(data.funnel),
        "segments": charts.segments_by_revenue(data.segments),
        "quality": charts.quality_by_day(data.quality, settings.quality_minimum),
        "quarantine": charts.open_quarantine(data.quarantine),
    }
    return render(
        "daily_report.html.j2",
        run=run,
        data=data,
        figures={name: figure.to_plotly_json() for name, figure in figures.items()},
        metrics=FIGURES,
        words=words(),
        parts=PARTS,
        documentation=documentation(settings),
        plotly=_packed_plotly(),
        written_at=dt.datetime.now(dt.UTC),
    )


@cache
def _packed_plotly() -> str:
    """plotly.js, a 4.8 MB file, as base64 of gzip, 2 MB: every browser since 2023 unpacks it by itself."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode())).decode("ascii")
