"""Whether anybody wants OpenLineage's events."""

import os
from pathlib import Path

from blocks.settings.settings import Settings

# Where OpenLineage's own client looks for its configuration, besides the environment.
FILES = (Path("openlineage.yml"), Path.home() / ".openlineage" / "openlineage.yml")
VARIABLES = ("OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT", "OPENLINEAGE__TRANSPORT__TYPE")


def is_wanted(settings: Settings) -> bool:
    """Whether there is a receiver, by our settings or by OpenLineage's own configuration."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    return bool(settings.openlineage_url.get_secret_value()) or has_own_configuration()


def has_own_configuration() -> bool:
    """Whether OpenLineage's own configuration says where events go."""
    return any(os.environ.get(name) for name in VARIABLES) or any(file.is_file() for file in FILES)
