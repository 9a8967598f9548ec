"""A folder that is written anew as a whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """A place to write to, which takes the folder's once all is written.

    After an error the folder is as it was. The writer makes the place.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    yield draft
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
