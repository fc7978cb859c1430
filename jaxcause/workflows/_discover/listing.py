"""Names and numbers in the sentences of notes, and names in printed tables."""

from collections.abc import Sequence

MOST_NAMED = 5
"""Variables or edges that a note names."""


LONGEST = 40
"""Characters of a name in a printed table."""


def printed_name(name: str) -> str:
    r"""A name for one cell of a table: white space folded, the middle of a long one left out.

    >>> printed_name("rain\n[mm]"), printed_name("x" * 30 + "y" * 30)
    ('rain [mm]', 'xxxxxxxxxxxxxxxxxxxxxxxxxxx…yyyyyyyyyyyy')
    """
    folded = " ".join(name.split())
    if len(folded) <= LONGEST:
        return folded
    return f"{folded[: LONGEST - 13]}…{folded[-12:]}"


def first_of(names: Sequence[str], *, between: str = ", ") -> str:
    """The first names, and how many more there are.

    >>> first_of("abcdefg"), first_of(["a", "b"], between="; ")
    ('a, b, c, d, e and 2 more', 'a; b')
    """
    names = [" ".join(name.split()) for name in names]
    more = len(names) - MOST_NAMED
    last = " and" if between == ", " else f"{between}and"
    return between.join(names[:MOST_NAMED]) + (f"{last} {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """A number of things, with the noun in its plural unless it is one.

    >>> counted(1, "window"), counted(1200, "window")
    ('1 window', '1,200 windows')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"
