"""OpenLineage events held against the published JSON schemas, which lie in openlineage_spec (Apache-2.0)."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

SPEC = Path(__file__).with_name("openlineage_spec")
Event = dict[str, Any]
RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def check_events(events: list[Event]) -> None:
    """Every event, and every facet in it by the schema that it names itself, is valid."""
    assert events
    for event in events:
        _validator(RUN_EVENT).validate(event)
        for facet in facets(event):
            _validator(facet["_schemaURL"]).validate(facet)


def facets(event: Event) -> Iterator[dict[str, Any]]:
    """All facets of an event."""
    holders = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for holder in holders:
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(kind, {}).values()


def outline(events: list[Event]) -> list[tuple[str, str]]:
    """What happened to which job, in order."""
    return [(event["eventType"], event["job"]["name"]) for event in events]


def rows(datasets: list[Event]) -> dict[str, int]:
    """The row counts of datasets, by the end of their names."""
    return {
        dataset["name"].rsplit("/", 1)[-1]: facet["rowCount"]
        for dataset in datasets
        for facet in {**dataset.get("inputFacets", {}), **dataset.get("outputFacets", {})}.values()
    }


@cache
def _validator(url: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": url}, registry=_registry(), format_checker=FormatChecker())


@cache
def _registry() -> Registry:
    schemas = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(SPEC.glob("*.json"))]
    return Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)
