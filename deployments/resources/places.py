"""The places that blocks name, as a pool's runs see them: a container has not our disk or loopback."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn
from pydantic import SecretStr

from blocks.settings.failures import PermanentFailure
from blocks.settings.fields import PLACES, SYSTEMS
from blocks.settings.settings import EnvironmentSettings
from deployments.resources.settings import DeploymentSettings

# What outlives a container, by kind of pool (work_pools/docker.yaml).
VOLUMES = {"docker": "file:///opt/ecommerce-pipeline/data/"}
# How the settings that runs connect to are named; what is for people's eyes only, runs never open.
ADDRESSES = ("_dsn", "_url", "_servers", "_remote", "_host", "_endpoint")
FOR_PEOPLE = {"report_url", "runbook_url"}


def require_places(deployment: DeploymentSettings, settings: EnvironmentSettings, api_url: str) -> None:
    """Raise PermanentFailure if runs of the pool would not find, or not keep, what blocks name.

    `api_url` is the Prefect server's, from here: workers of some kinds hand it on to their runs as it is.
    """
    if deployment.work_pool == "process":
        return
    if wrong := [*_lost(deployment.work_pool, settings), *_out_of_reach(deployment, settings, api_url)]:
        raise PermanentFailure(f"WORK_POOL is {deployment.work_pool}, and " + "; ".join(wrong))


def _lost(kind: str, settings: EnvironmentSettings) -> Iterator[str]:
    places = {"CLICKSTREAM_URI": settings.clickstream_uri, "LAKE_URI": settings.lake_uri}
    for field in PLACES[settings.warehouse]:
        if isinstance(place := getattr(settings, field), Path):
            places[field.upper()] = place.absolute().as_uri()
    volume = VOLUMES.get(kind)
    kept = (volume,) if volume else ()
    lost = [name for name, at in places.items() if at.startswith("file:") and not at.startswith(kept)]
    if lost:
        remedy = f"name folders below {volume}, or an object store" if volume else "name an object store"
        yield (
            f"{', '.join(lost)} would be on the disk of a container that ends with its run; {remedy}, "
            "and a warehouse that is no file (docs/warehouses.md)"
        )


def _out_of_reach(
    deployment: DeploymentSettings, settings: EnvironmentSettings, api_url: str
) -> Iterator[str]:
    if deployment.work_pool == "docker" and deployment.docker_network == "host":
        return
    local = [name.upper() for name, value in addresses(settings) if _is_loopback(value)]
    # Prefect's docker worker names the server `host.docker.internal` by itself.
    if deployment.work_pool != "docker" and _is_loopback(api_url):
        local.append("PREFECT_API_URL")
    if local:
        remedy = "an address that containers reach"
        if deployment.work_pool == "docker":
            remedy += ", or DOCKER_NETWORK=host, if the worker is on this machine (docs/deploy.md)"
        yield f"{', '.join(sorted(local))} would be the container itself (loopback); name {remedy}"


def addresses(settings: EnvironmentSettings) -> Iterator[tuple[str, str]]:
    """The settings that runs connect to and that say something, each with its value, secrets in the clear."""
    unused = {"pagerduty_url"} if "pagerduty" not in settings.active_channels() else set()
    for system in SYSTEMS:
        if not system.is_configured(settings):
            unused |= system.model_fields.keys()
    for name in type(settings).model_fields:
        if name.endswith(ADDRESSES) and name not in FOR_PEOPLE | unused:
            value = getattr(settings, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            if text:
                yield name, text


def _is_loopback(address: str) -> bool:
    try:
        return any(map(_is_loopback_host, _hosts(address)))
    except (ValueError, ProgrammingError):
        # What is wrong with it, the first connection says.
        return False


def _hosts(address: str) -> list[str]:
    """The hosts of a URL, a libpq string or a list of host:port; where libpq has none, it takes a socket."""
    scheme, separator, _ = address.partition("://")
    if separator and scheme not in {"postgres", "postgresql"}:
        return [urlsplit(address).hostname or ""]
    if separator or "=" in address:
        given = parse_dsn(address)
        return (given.get("hostaddr") or given.get("host") or "/").split(",")
    # Also `local[2]`, an engine of the run's own, which is no host.
    return [
        urlsplit(f"//{each.strip()}").hostname or ""
        for each in address.split(",")
        if not each.startswith("local[")
    ]


def _is_loopback_host(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.startswith("/") or host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
