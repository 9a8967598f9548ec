"""The patterns of texts in JSON events, the same for every engine that reads them: Java's, Rust's and RE2."""

# Python's blanks (`str.isspace`): each engine's own `\s` and `trim` mean others.
NOT_BLANK = r"[^\t-\r\x{1C}- \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"
BLANKS = r"[ \t\r\n]*"


def number_pattern(*keys: str) -> str:
    """Matches a number that is the value of one of these keys, at any depth: the replacement quotes it.

    Engines read such a number as a float, and so make one id of several. In valid JSON a quote inside a text
    has a backslash before it, so no text is matched; what is no valid JSON stays none.
    """
    return rf"({_key(keys)})(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"


def long_number_pattern(*keys: str) -> str:
    """Matches only those numbers that an engine may write otherwise than they were: no short integer."""
    return rf"{_key(keys)}-?(?:[0-9]{{16}}|[0-9]+[.eE])|{_key(keys)}-0"


def _key(keys: tuple[str, ...]) -> str:
    return rf'[^\\]"(?:{"|".join(keys)})"{BLANKS}:{BLANKS}'
