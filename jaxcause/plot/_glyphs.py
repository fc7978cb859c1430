"""Texts that the font of the pictures can show."""

from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font

_LONGEST = 24


def drawable(text: str) -> str:
    r"""Text with boxes for letters that the font lacks; blanks are visible, long texts end in ….

    >>> drawable("film"), drawable(" "), drawable("a\nb"), drawable("w" * 30)
    ('film', '␣', 'a□b', 'wwwwwwwwwwwwwwwwwwwwwww…')
    """
    known = _letters()
    shown = "".join(
        letter if ord(letter) in known and letter.isprintable() else "□" for letter in str(text)
    )
    shown = shown if shown.strip() else "␣"
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def is_special(text: str) -> bool:
    """Whether a token looks like a special token of a model: ``[CLS]``, ``<s>``."""
    return len(text) > 2 and (text[0], text[-1]) in {("[", "]"), ("<", ">")}


@cache
def _letters() -> frozenset[int]:
    """Code points in the font."""
    return frozenset(get_font(findfont(FontProperties())).get_charmap())
