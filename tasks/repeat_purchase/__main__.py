"""The worked example of a model: who orders again within 30 days (docs/features.md).

python -m tasks.repeat_purchase    # train, evaluate, write the model card, publish the scores

Needs the extra ml, and feature days (flows/features.py). Exit code 1: it could not be done.
"""

import sys

from blocks.settings.extras import check_extra
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.runs.command_line import failures_in_words
from tasks.runs.console import silence_teardown
from tasks.warehouse.access import staged_warehouse


def main() -> None:
    """Score the customers, and say how well."""
    silence_teardown()
    with failures_in_words():
        settings = Settings()
        check_extra("ml")
        from tasks.repeat_purchase.scoring import MART, score_customers, write_card

        with staged_warehouse(settings) as warehouse:
            report = score_customers(warehouse, settings, Lake(settings.lake_uri))
            card = write_card(report, settings)
            warehouse.publish(built=[MART])
    found, shuffled = report.evaluation, report.shuffled
    sys.stdout.write(
        f"gold.{MART}: {report.scored:,} customers as of {report.scored_day}\n"
        f"AUC {found.auc:.3f} ({shuffled.auc:.3f} with shuffled outcomes), Brier score {found.brier:.4f} "
        f"({found.base_brier:.4f} without a model)\nmodel card: {card}\n"
    )


if __name__ == "__main__":
    main()
