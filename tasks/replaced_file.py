"""A file that is written anew as a whole."""

from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write a file; a reader sees the text before or all of this one."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
