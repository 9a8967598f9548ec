"""The worked example of a model: who orders again within 30 days (docs/features.md).

python -m tasks.repeat_purchase    # train, evaluate, write the model card, publish the scores

Needs the extra ml, and feature days (flows/features.py). Exit code 1: it could not be done.
"""

import sys

from pydantic import ValidationError

from blocks.settings.environment import UnreadableEnvFile
from blocks.settings.failures import PipelineFailure, wrong_configuration
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.ml_extra import check_extra
from tasks.runs.console import silence_teardown
from tasks.warehouse.access import staged_warehouse


def main() -> int:
    """Score the customers, and say how well; returns the exit code."""
    silence_teardown()
    try:
        settings = Settings()
        check_extra()
        from tasks.repeat_purchase.scoring import MART, score_customers, write_card

        with staged_warehouse(settings) as warehouse:
            report = score_customers(warehouse, settings, Lake(settings.lake_uri))
            card = write_card(report, settings)
            warehouse.publish(built=[MART])
    except (PipelineFailure, UnreadableEnvFile) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except ValidationError as error:
        sys.stderr.write(f"{wrong_configuration(error)}\n")
        return 1
    found, shuffled = report.evaluation, report.shuffled
    sys.stdout.write(
        f"gold.{MART}: {report.scored:,} customers as of {report.scored_day}\n"
        f"AUC {found.auc:.3f} ({shuffled.auc:.3f} with shuffled outcomes), Brier score {found.brier:.4f} "
        f"({found.base_brier:.4f} without a model)\nmodel card: {card}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
