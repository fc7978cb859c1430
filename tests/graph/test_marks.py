import itertools

import pytest

from jaxcause.graph import Mark, edge_marks, edge_symbol

EDGES = [
    (left, right)
    for left, right in itertools.product(list(Mark)[1:], repeat=2)
    if (left == Mark.CONFLICT) == (right == Mark.CONFLICT)
]


@pytest.mark.parametrize(("left", "right"), EDGES)
def test_every_edge_reads_back_as_it_was_written(left, right):
    assert edge_marks(edge_symbol(left, right)) == (left, right)


def test_codes_are_those_of_pcalg():
    assert [int(m) for m in (Mark.NONE, Mark.CIRCLE, Mark.ARROW, Mark.TAIL)] == [0, 1, 2, 3]


def test_symbols():
    assert edge_symbol(Mark.TAIL, Mark.ARROW) == "-->"
    assert edge_symbol(Mark.ARROW, Mark.ARROW) == "<->"
    assert edge_symbol(Mark.CONFLICT, Mark.CONFLICT) == "x-x"
    assert edge_symbol(Mark.NONE, Mark.NONE) == ""
    assert edge_marks("") == (Mark.NONE, Mark.NONE)


def test_other_symbols_are_refused():
    for symbol in ("==>", "-?>", "o=o", "->", "--->"):
        with pytest.raises(ValueError, match="not an edge"):
            edge_marks(symbol)
    for symbol in ("x->", "x-o", "<-x", "--x"):
        with pytest.raises(ValueError, match="in conflict at one end only"):
            edge_marks(symbol)
