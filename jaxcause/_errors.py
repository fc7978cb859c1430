"""The error that people see; it imports nothing, so that the command line can catch it cheaply."""

_LONGEST = 3_000


class InputError(ValueError):
    r"""A mistake in what the caller gave; one line names it and its remedy.

    What a file holds may stand in the message, so line breaks become blanks, characters that no
    terminal shows are escaped, and a message that is too long loses its middle.

    >>> str(InputError("x.csv has the name 'a\nb'; rename it"))
    "x.csv has the name 'a b'; rename it"
    """

    def __init__(self, message: str = "") -> None:
        text = "".join(_shown(character) for character in str(message))
        if len(text) > _LONGEST:
            text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 3 :]}"
        super().__init__(text)


def _shown(character: str) -> str:
    if character in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029":
        return " "
    if character.isprintable() or character in "\t\u00a0\u202f":
        return character
    return character.encode("unicode_escape").decode()
