"""Settings of the deployment itself; those of the platform are in blocks/settings/."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from blocks.settings.environment import REPOSITORY, AlertThresholds
from blocks.settings.failures import PermanentFailure
from blocks.settings.fields import PLACES
from blocks.settings.settings import EnvironmentSettings

DAILY = "daily-ecommerce-pipeline"
FOLDER = REPOSITORY / "deployments"
# How often a run says that it is alive: as often as Prefect lets it.
HEARTBEAT_SECONDS = 30
# What outlives a container, by kind of pool (work_pools/docker.yaml).
VOLUMES = {"docker": "file:///opt/ecommerce-pipeline/data/"}


class DeploymentSettings(AlertThresholds):
    """The pool that runs go to, and how long the automations wait."""

    work_pool: Literal["process", "docker", "kubernetes", "ecs"] = "process"
    inventory_mode: Literal["hourly", "continuous"] = "hourly"
    worker_image: str = "ecommerce-pipeline:latest"
    ecs_execution_role_arn: str = ""
    ecs_task_role_arn: str = ""
    late_after: dt.timedelta = dt.timedelta(minutes=10)
    waiting_after: dt.timedelta = dt.timedelta(hours=1)

    def require_places(self, settings: EnvironmentSettings) -> None:
        """Raise PermanentFailure if runs of this pool would not find, or not keep, what blocks name."""
        if self.work_pool == "process":
            return
        places = {"CLICKSTREAM_URI": settings.clickstream_uri, "LAKE_URI": settings.lake_uri}
        for field in PLACES[settings.warehouse]:
            if isinstance(place := getattr(settings, field), Path):
                places[field.upper()] = place.absolute().as_uri()
        volume = VOLUMES.get(self.work_pool)
        kept = (volume,) if volume else ()
        lost = [name for name, at in places.items() if at.startswith("file:") and not at.startswith(kept)]
        if lost:
            remedy = f"name folders below {volume}, or an object store" if volume else "name an object store"
            raise PermanentFailure(
                f"WORK_POOL is {self.work_pool}, and {', '.join(lost)} would be on the disk of a container "
                f"that ends with its run; {remedy}, and a warehouse that is no file (docs/warehouses.md)"
            )

    def variables(self, settings: EnvironmentSettings) -> dict[str, str]:
        """The variables that prefect.yaml and the pool templates name, with their values here."""
        mode = self.inventory_mode if settings.kafka_bootstrap_servers else "off"
        return {
            "INVENTORY_HOURLY": str(mode == "hourly").lower(),
            "INVENTORY_CONTINUOUS": str(mode == "continuous").lower(),
            "WORK_POOL": self.work_pool,
            "WORKER_IMAGE": self.worker_image,
            "ECS_EXECUTION_ROLE_ARN": self.ecs_execution_role_arn,
            "ECS_TASK_ROLE_ARN": self.ecs_task_role_arn,
            "REPOSITORY": str(REPOSITORY),
            "HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
            "SHOP_TIMEZONE": settings.shop_timezone.key,
        }


def effective_settings(saved: Mapping[str, Any]) -> EnvironmentSettings:
    """The settings of this environment where it says something, else those of the saved blocks.

    So a bootstrap from a shell that lacks a variable does not empty the field it once filled.
    """
    given = EnvironmentSettings().model_fields_set
    return EnvironmentSettings(**{name: value for name, value in saved.items() if name not in given})
