"""A limit to the memory of a command and all that it starts: a control group of its own. Linux, as root.

Files that the kernel keeps in memory count too, but it drops them first. So a command that ends well has had
enough; one that needs more is killed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of control groups of version 1, where memory has a tree of its own, and of version 2.
TREES = {Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes", Path("/sys/fs/cgroup"): "memory.max"}


@contextmanager
def limited_group(most_bytes: int | None) -> Iterator[Path | None]:
    """The group's file that takes process ids; None without a limit. Raises OSError if there is no right to."""
    if most_bytes is None:
        yield None
        return
    tree, limit = next((tree, name) for tree, name in TREES.items() if (tree / "cgroup.procs").exists())
    group = tree / f"benchmark-{os.getpid()}"
    group.mkdir()
    try:
        (group / limit).write_text(str(most_bytes))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()
