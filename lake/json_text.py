"""The patterns of texts in JSON events, the same for every engine that reads them."""

# Python's blanks (`str.isspace`), for `trim`: each engine's own are others. No pattern: Sail compiles one
# anew for every few thousand rows.
BLANK_CHARACTERS = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
BLANKS = r"[ \t\r\n]*"


def number_pattern(*keys: str) -> str:
    """Matches a number that is the value of one of these keys, at any depth: the replacement quotes it.

    Engines read such a number as a float, and so make one id of several. In valid JSON a quote inside a text
    has a backslash before it, so no text is matched; what is no valid JSON stays none.
    """
    key = rf'[{{, \t\r\n]"(?:{"|".join(keys)})"{BLANKS}:{BLANKS}'
    return rf"({key})(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"


def long_number_pattern(ending: str) -> str:
    """Matches every number under a key that ends so and that an engine may write otherwise than it was.

    No short integer is one. Quick, as it begins with a plain text.
    """
    return rf'{ending}"{BLANKS}:{BLANKS}(?:-?(?:[0-9]{{16}}|[0-9]+[.eE])|-0)'
