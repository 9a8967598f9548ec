"""The names and words of the figures: those of the semantic layer (dbt/models/semantic), as they are written.

Without dbt, which would take seconds, and without the extra. What each figure is of is in the same files, and
nobody here computes with it: tasks/bi/manifest.py does.
"""

from functools import cache
from typing import Literal

import yaml
from pydantic import BaseModel

from blocks.settings.environment import REPOSITORY

FOLDER = REPOSITORY / "dbt" / "models" / "semantic"


class Words(BaseModel):
    """What people call a figure, what it is, in a sentence, and how its numbers are written."""

    label: str
    description: str
    format: Literal["money", "count", "decimal", "percent"]


@cache
def words() -> dict[str, Words]:
    """The words of each metric, by its name."""
    pages = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.yml"))]
    metrics = [metric for page in pages for metric in page.get("metrics", ())]
    return {metric["name"]: Words(**metric, **metric["config"]["meta"]) for metric in metrics}
