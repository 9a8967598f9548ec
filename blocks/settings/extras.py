"""The project's extras: packages that only some steps need, imported where they are used."""

from importlib.util import find_spec

from blocks.settings.failures import PermanentFailure

# By extra, the packages that its steps import.
PACKAGES = {
    "bi": ("lkml", "openlineage", "pantab", "sqlglot", "tableauserverclient"),
    "ml": ("sklearn", "statsforecast"),
}


def check_extra(extra: str) -> None:
    """Raise PermanentFailure if packages of the extra are missing."""
    if missing := [name for name in PACKAGES[extra] if not find_spec(name)]:
        raise PermanentFailure(
            f"the extra {extra} is missing ({', '.join(missing)}); install it: `make {extra}`, or "
            f"`pip install --no-deps --require-hashes -r requirements-{extra}.txt`"
        )
