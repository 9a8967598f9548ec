"""The pages that runs write for people: the folder REPORT_DIR, which a web server may show as REPORT_URL."""

from pathlib import Path

from blocks.settings.environment import namespaced
from blocks.settings.settings import Settings

# Below the folder. Reports link them from beside it, by these same paths.
DOCUMENTATION = {
    "data quality": "docs/quality/index.html",
    "models": "docs/dbt.html",
    "lineage": "docs/lineage.html",
}


def folder(settings: Settings) -> Path:
    """The folder itself, which may not exist yet; a platform other than production has one within it."""
    return Path(namespaced(str(settings.report_dir.resolve()), "/"))


def address(settings: Settings, path: str) -> str:
    """The address at which people read a file of the folder."""
    url = settings.report_url.rstrip("/")
    return f"{namespaced(url, '/') if url else folder(settings).as_uri()}/{path}"


def documentation(settings: Settings) -> dict[str, str]:
    """The paths of the documentation that has been written so far, by name."""
    return {name: path for name, path in DOCUMENTATION.items() if (folder(settings) / path).exists()}
