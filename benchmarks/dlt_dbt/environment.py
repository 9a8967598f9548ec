"""The environment of dlt and dbt, apart from the project's: their versions are no concern of ours."""

import subprocess
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def install(home: Path) -> None:
    """Make the environment beside `home`, once: an installation has it before its first run."""
    made = programs(home) / "made"
    if not made.exists():
        venv.create(made.parent.parent, with_pip=True)
        pip = [str(programs(home) / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
        made.touch()


def programs(home: Path) -> Path:
    """The folder of its programs."""
    return home.parent / "dlt-environment" / "bin"
