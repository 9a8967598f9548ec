"""Settings of the deployment itself; those of the platform are in blocks/settings/."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from blocks.settings.environment import REPOSITORY, AlertThresholds
from blocks.settings.settings import EnvironmentSettings

DAILY = "daily-ecommerce-pipeline"
FOLDER = REPOSITORY / "deployments"
# How often a run says that it is alive: as often as Prefect lets it.
HEARTBEAT_SECONDS = 30


class DeploymentSettings(AlertThresholds):
    """The pool that runs go to, and how long the automations wait."""

    work_pool: Literal["process", "docker", "kubernetes", "ecs"] = "process"
    inventory_mode: Literal["hourly", "continuous"] = "hourly"
    worker_image: str = "ecommerce-pipeline:latest"
    docker_network: str = "bridge"
    ecs_execution_role_arn: str = ""
    ecs_task_role_arn: str = ""
    late_after: dt.timedelta = dt.timedelta(minutes=10)
    waiting_after: dt.timedelta = dt.timedelta(hours=1)

    def variables(self, settings: EnvironmentSettings) -> dict[str, str]:
        """The variables that prefect.yaml and the pool templates name, with their values here."""
        mode = self.inventory_mode if settings.kafka_bootstrap_servers else "off"
        return {
            "INVENTORY_HOURLY": str(mode == "hourly").lower(),
            "INVENTORY_CONTINUOUS": str(mode == "continuous").lower(),
            "WORK_POOL": self.work_pool,
            "WORKER_IMAGE": self.worker_image,
            "DOCKER_NETWORK": self.docker_network,
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
