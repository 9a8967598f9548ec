"""The messages' templates, `tasks/templates/*.j2`: HTML is escaped, Markdown and plain text are not."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=select_autoescape(["html.j2"]),
)


def render(template: str, **values: object) -> str:
    """The text of `tasks/templates/<template>` with its values; raises UndefinedError if one is missing."""
    return _TEMPLATES.get_template(template).render(**values)
