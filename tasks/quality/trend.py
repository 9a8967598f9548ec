"""Quality over several days: one bad day may be an accident, three in a row are a change at the source."""

from prefect.events import emit_event

from blocks.settings.environment import PlatformName
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.alerts.events import LOW_QUALITY_EVENT, quality_resource
from tasks.ledger.queries import quality_scores
from tasks.ledger.run import Run

DAYS = 3


def report_low_quality(run: Run, settings: Settings, lake: Lake) -> bool:
    """Emit LOW_QUALITY_EVENT if the last DAYS validated days scored below `QUALITY_MINIMUM`.

    Returns True if it was emitted. Only the first run that validates a day's rows does so: later ones repeat
    nothing.
    """
    minimum = settings.quality_minimum
    days = quality_scores(lake, DAYS)
    scores = [score for _, score in days]
    if len(scores) < DAYS or days[0][0] != run.run_id or max(scores) >= minimum:
        return False
    emit_event(
        LOW_QUALITY_EVENT,
        resource={
            "prefect.resource.id": quality_resource(PlatformName().platform),
            "prefect.resource.name": run.flow,
        },
        payload={
            "ds": run.ds.isoformat(),
            "scores": ", ".join(f"{score:.1%}" for score in scores),
            "minimum": f"{minimum:.1%}",
        },
    )
    return True
