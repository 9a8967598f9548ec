"""A difference between the repository and the Prefect server, and what applies it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """A thing to create, or to update in the named respects. Secret values are never named."""

    name: str
    difference: str
    apply: Callable[[], object]


def differing(wanted: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """The keys of `wanted` whose value `actual` does not have."""
    return [key for key, value in wanted.items() if actual.get(key) != value]
