"""Every variable that the platform reads from its environment."""

from blocks.settings.environment import PlatformName, RetrySettings
from blocks.settings.settings import Settings
from deployments.resources.settings import DeploymentSettings

VARIABLES = sorted(
    name.upper()
    for settings in (Settings, RetrySettings, PlatformName, DeploymentSettings)
    for name in settings.model_fields
)
