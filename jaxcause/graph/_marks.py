"""Edge marks, and how an edge is written."""

import enum

import numpy as np


class Mark(enum.IntEnum):
    """The mark at one end of an edge (the codes of pcalg's ``amat.pag``).

    >>> int(Mark.ARROW)
    2
    """

    NONE = 0
    CIRCLE = 1
    ARROW = 2
    TAIL = 3


_LEFT = {Mark.CIRCLE: "o", Mark.ARROW: "<", Mark.TAIL: "-"}
_RIGHT = {Mark.CIRCLE: "o", Mark.ARROW: ">", Mark.TAIL: "-"}


def edge_symbol(left: int | np.integer, right: int | np.integer) -> str:
    """Write an edge as text, such as ``-->``, ``o->``, ``<->`` or ``---``; no edge is ``""``.

    >>> edge_symbol(Mark.CIRCLE, Mark.ARROW)
    'o->'
    """
    if left == Mark.NONE or right == Mark.NONE:
        return ""
    return f"{_LEFT[Mark(int(left))]}-{_RIGHT[Mark(int(right))]}"


def edge_marks(symbol: str) -> tuple[Mark, Mark]:
    """Read an edge written by `edge_symbol`: the mark at its left and at its right end.

    >>> edge_marks("o->")
    (<Mark.CIRCLE: 1>, <Mark.ARROW: 2>)
    """
    if symbol == "":
        return Mark.NONE, Mark.NONE
    left = {text: mark for mark, text in _LEFT.items()}
    right = {text: mark for mark, text in _RIGHT.items()}
    if len(symbol) != 3 or symbol[0] not in left or symbol[2] not in right:
        raise ValueError(f"symbol={symbol!r} is not an edge; write it as --> or o-> or <->")
    return left[symbol[0]], right[symbol[2]]
