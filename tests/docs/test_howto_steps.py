"""The machine that carries out how-to pages: what it takes for a step, does with it, and says when one fails."""

import os
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY
from tests.support.howto import StepFailure, copy_repository, read_steps

PAGE = """\
# Add a thing

```yaml title="things/new.yaml"
name: new
```

Then, in the list of things:

```diff title="things/list.py"
 THINGS = [
     "old",
+    "new",
 ]
@@
-COUNT = 1
+COUNT = 2
```

To be read only:

```python
raise SystemExit("not a step")
```

```console
$ cat things/new.yaml things/list.py
name: new
…
"new",
COUNT = 2
$ echo one \\
> two
one two
```
"""
LIST = 'THINGS = [\n    "old",\n]\nNUMBERS = [1]\nCOUNT = 1\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "list.py").write_text(LIST)
    return tmp_path


def carry_out(repository: Path, text: str) -> None:
    page = repository / "page.md"
    page.write_text(text)
    for step in read_steps(page):
        step.perform(repository, os.environ)


def test_steps_are_done_in_order_as_written(repository: Path) -> None:
    carry_out(repository, PAGE)
    assert (repository / "things/new.yaml").read_text() == "name: new\n"
    assert (repository / "things/list.py").read_text() == (
        'THINGS = [\n    "old",\n    "new",\n]\nNUMBERS = [1]\nCOUNT = 2\n'
    )


def test_steps_are_counted_and_have_a_line(repository: Path) -> None:
    (repository / "page.md").write_text(PAGE)
    steps = read_steps(repository / "page.md")
    assert [(step.number, step.line, step.language) for step in steps] == [
        (1, 3, "yaml"),
        (2, 9, "diff"),
        (3, 25, "console"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(
            "things/new.yaml", "things/list.py", "step 1 .line 3.: .* is there already", id="file is there"
        ),
        pytest.param(
            "things/list.py", "things/gone.py", "step 2 .line 9.: no file things/gone.py", id="no file"
        ),
        pytest.param(
            ' THINGS = [\n     "old"', " THINGS", "step 2 .* found 0 times", id="context is not there"
        ),
        pytest.param(" THINGS", "THINGS", "step 2 .* neither kept, taken away nor added", id="no diff"),
        pytest.param("-COUNT = 1\n", "", "step 2 .* needs a line that is there", id="nowhere"),
        pytest.param("COUNT = 1", " ", "step 2 .* needs a line that is there", id="blank context"),
        pytest.param("$ cat", "cat", "step 3 .line 25.: output before any command", id="no command"),
        pytest.param("$ cat", "$ false && cat", "step 3 .* exit code 1 of", id="a command fails"),
        pytest.param("one two\n", "three\n", "step 3 .* does not say `three`", id="other output"),
        pytest.param(
            '"new",\nCOUNT', 'COUNT = 2\n"new",\nCOUNT', "step 3 .* does not say", id="another order"
        ),
        pytest.param(
            '```diff title="things/list.py"', "```diff", "line 9: .* which file", id="a diff of nothing"
        ),
        pytest.param("```yaml title", "```yaml file", "line 3: what is to be done", id="not understood"),
        pytest.param("one two\n```", "one two", "line 25: .* never closed", id="open end"),
    ],
)
def test_a_step_that_fails_is_named(repository: Path, old: str, new: str, says: str) -> None:
    assert old in PAGE
    with pytest.raises(StepFailure, match=rf"(?s)page\.md, {says}"):
        carry_out(repository, PAGE.replace(old, new))


def test_text_that_is_there_twice_is_no_place(repository: Path) -> None:
    (repository / "things/list.py").write_text(LIST * 2)
    with pytest.raises(StepFailure, match="found 2 times"):
        carry_out(repository, PAGE)


def test_frames_and_spaces_of_a_table_do_not_count(repository: Path) -> None:
    carry_out(repository, "```console\n$ echo '│  a │   1 │'\n│ a │ 1 │\n```\n")


def test_a_command_goes_on_over_empty_lines(repository: Path) -> None:
    carry_out(repository, "```console\n$ cat <<END\n> a\n>\n> b\n> END\na b\n```\n")


def test_the_copy_has_the_sources_and_nothing_that_git_ignores(tmp_path: Path) -> None:
    copy = copy_repository(tmp_path / "copy")
    assert (copy / "README.md").read_bytes() == (REPOSITORY / "README.md").read_bytes()
    assert (copy / "benchmarks/data.py").exists()
    assert (copy / ".venv/bin/python").exists()
    assert list((copy / "data").iterdir()) == []
    assert not (copy / ".git").exists()
