"""The extra ml: packages for scores and forecasts, imported only where they are used."""

from importlib.util import find_spec

from blocks.settings.failures import PermanentFailure

PACKAGES = ("sklearn", "statsforecast")


def check_extra() -> None:
    """Raise PermanentFailure if packages of the extra are missing."""
    if missing := [name for name in PACKAGES if not find_spec(name)]:
        raise PermanentFailure(
            f"the extra ml is missing ({', '.join(missing)}); install it: `make ml`, or "
            "`pip install --no-deps --require-hashes -r requirements-ml.txt`"
        )
