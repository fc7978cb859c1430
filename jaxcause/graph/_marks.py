"""Edge marks, and how an edge is written."""

import enum

import numpy as np


class Mark(enum.IntEnum):
    """The mark at one end of an edge (0 to 3 are the codes of pcalg's ``amat.pag``).

    An edge in conflict, ``x-x``, was oriented both ways by the rules of a search, as happens where
    tests err or an assumption fails. It is neither an arrowhead nor a tail, and says nothing of a
    hidden common cause, which is ``<->``. It stands at both ends of an edge or at neither.

    >>> int(Mark.ARROW)
    2
    """

    NONE = 0
    CIRCLE = 1
    ARROW = 2
    TAIL = 3
    CONFLICT = 4


_LEFT: dict[int, str] = {Mark.CIRCLE: "o", Mark.ARROW: "<", Mark.TAIL: "-", Mark.CONFLICT: "x"}
_RIGHT: dict[int, str] = {Mark.CIRCLE: "o", Mark.ARROW: ">", Mark.TAIL: "-", Mark.CONFLICT: "x"}


def edge_symbol(left: int | np.integer, right: int | np.integer) -> str:
    """Write an edge as text, such as ``-->``, ``o->``, ``<->`` or ``x-x``; no edge is ``""``.

    >>> edge_symbol(Mark.CIRCLE, Mark.ARROW)
    'o->'
    """
    if left == 0 or right == 0:
        return ""
    # Members of the enumeration are equal to their numbers, so no member is made.
    return f"{_LEFT[int(left)]}-{_RIGHT[int(right)]}"


def edge_marks(symbol: str) -> tuple[Mark, Mark]:
    """Read an edge written by `edge_symbol`: the mark at its left and at its right end.

    >>> edge_marks("o->")
    (<Mark.CIRCLE: 1>, <Mark.ARROW: 2>)
    """
    if symbol == "":
        return Mark.NONE, Mark.NONE
    left = {text: Mark(mark) for mark, text in _LEFT.items()}
    right = {text: Mark(mark) for mark, text in _RIGHT.items()}
    known = len(symbol) == 3 and symbol[1] == "-"
    if not known or symbol[0] not in left or symbol[2] not in right:
        raise ValueError(f"symbol={symbol!r} is not an edge; write it as --> or o-> or <->")
    if (symbol[0] == "x") != (symbol[2] == "x"):
        raise ValueError(
            f"symbol={symbol!r} is in conflict at one end only; write x-x, or o for an open mark"
        )
    return left[symbol[0]], right[symbol[2]]
