"""How-to pages that are carried out: their steps, read from Markdown and performed in a copy of the repository.

A step is a fenced block. Its opening line says what to do with it:

    ```sql title="dbt/models/marts/x.sql"   write this new file (any language but diff)
    ```diff title="tasks/alerts/x.py"       change this file: hunks as git has them; context must be found once
    ```console                              run each line after `$ ` (`> ` goes on with it); it must succeed, and
                                            the lines below it must be in its output, in that order

Other blocks are there to be read. Spaces do not count when lines of output are compared, a line `…` says nothing.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from blocks.settings.environment import REPOSITORY

FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\s*$")
COMMAND_SECONDS = 600


class StepFailure(AssertionError):
    """A step did not do what its page says; the message names page, step and line."""


@dataclass(frozen=True)
class Step:
    """One block of a page that something is done with: `number` counts from 1, `line` is where it opens."""

    page: str
    number: int
    line: int
    language: str
    title: str | None
    text: str

    def perform(self, repository: Path, environment: Mapping[str, str]) -> None:
        """Write, change or run in `repository` what the step says. Raises StepFailure."""
        if self.language == "console":
            for command, expected in _commands(self):
                _run(self, command, expected, repository, environment)
        elif self.language == "diff":
            self._change(repository / str(self.title))
        else:
            self._write(repository / str(self.title))

    def failure(self, message: str) -> StepFailure:
        """What went wrong, and where on which page."""
        return StepFailure(f"{self.page}, step {self.number} (line {self.line}): {message}")

    def _write(self, file: Path) -> None:
        if file.exists():
            raise self.failure(f"{self.title} is there already: show its changes as a diff")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.text, encoding="utf-8")

    def _change(self, file: Path) -> None:
        if not file.exists():
            raise self.failure(f"no file {self.title} to change")
        text = file.read_text(encoding="utf-8")
        for old, new in self._hunks():
            if text.count(old) != 1:
                raise self.failure(f"found {text.count(old)} times in {self.title}, not once:\n{old}")
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def _hunks(self) -> list[tuple[str, str]]:
        """Old and new text of each hunk: a line begins with a space, `-` or `+`, an empty one may be bare."""
        hunks: list[tuple[str, str]] = []
        for part in re.split(r"^@@.*\n", self.text, flags=re.MULTILINE):
            lines = [line or " " for line in part.splitlines()]
            if wrong := [line for line in lines if line[0] not in " -+"]:
                raise self.failure(f"neither kept, taken away nor added: {wrong[0]}")
            old, new = (
                "".join(line[1:] + "\n" for line in lines if line[0] in kept) for kept in (" -", " +")
            )
            if lines and not old.strip():
                raise self.failure("a hunk needs a line that is there already")
            if lines:
                hunks.append((old, new))
        return hunks


def read_steps(page: Path) -> list[Step]:
    """The steps of a page, in order. Raises StepFailure for a block that is never closed or makes no sense."""
    steps: list[Step] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    opened: tuple[int, str, str, str | None] | None = None
    for number, line in enumerate(lines, start=1):
        if opened is None:
            if line.startswith("```"):
                found = FENCE.match(line)
                if found is None:
                    raise StepFailure(f"{page.name}, line {number}: what is to be done with this? {line}")
                opened = (number, found["ticks"], found["language"], found["title"])
        elif line == opened[1]:
            start, _, language, title = opened
            opened = None
            if language == "diff" and title is None:
                raise StepFailure(f"{page.name}, line {start}: this diff has no title: which file?")
            if title is not None or language == "console":
                text = "".join(each + "\n" for each in lines[start : number - 1])
                steps.append(Step(page.name, len(steps) + 1, start, language, title, text))
    if opened is not None:
        raise StepFailure(f"{page.name}, line {opened[0]}: this block is never closed")
    return steps


def copy_repository(folder: Path) -> Path:
    """A copy of the repository without what git ignores, and with this environment's Python as `.venv`."""
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").split()
    names = [".git", *(Path(each).name for each in ignored)]
    shutil.copytree(REPOSITORY, folder, ignore=shutil.ignore_patterns(*names))
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "data").mkdir()
    return folder


def _commands(step: Step) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, with the lines of output that the page shows."""
    command, expected = "", []
    for line in step.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], []
        elif not command:
            raise step.failure(f"output before any command: {line}")
        elif f"{line} ".startswith("> ") and not expected:
            command += "\n" + line[2:]
        else:
            expected.append(line)
    if not command:
        raise step.failure("no command: begin it with `$ `")
    yield command, expected


def _run(
    step: Step, command: str, expected: list[str], repository: Path, environment: Mapping[str, str]
) -> None:
    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=repository,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    if ended.returncode:
        raise step.failure(f"exit code {ended.returncode} of `{command}`:\n{ended.stdout[-4000:]}")
    position, output = 0, _words(ended.stdout)
    for line in expected:
        words = _words(line)
        if words in ("", "…"):
            continue
        found = output.find(words, position)
        if found < 0:
            raise step.failure(f"`{command}` does not say `{words}`, but:\n{ended.stdout[-4000:]}")
        position = found + len(words)


def _words(text: str) -> str:
    """The text without its layout: spaces, line ends and the frames of tables."""
    return " ".join(re.sub(r"[│┃┌┐└┘├┤┬┴┼─━]", " ", text).split())
