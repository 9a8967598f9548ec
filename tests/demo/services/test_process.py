"""The lock of a service's folder: one caller at a time, and free again when its holder is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY
from demo.services import process
from demo.services.process import ServiceUnavailable, locked

HOLD = """
import sys, time
from pathlib import Path
from demo.services.process import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_waited_for_and_ends_with_a_killed_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOCK_SECONDS", 0.2)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ServiceUnavailable, match=r"Another process has held .*/lock for 0.2 s\."):
            with locked(tmp_path):
                pass
        holder.kill()
    with locked(tmp_path):
        pass
