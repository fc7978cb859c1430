"""Equivalence classes of a known graph, without any test: a reference for the searches."""

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from jaxtyping import Bool

from jaxcause._checks import InputError, check_square
from jaxcause._typing import AnyArray
from jaxcause.graph._ancestral import ancestor_matrix, check_maximal, mag_ancestors
from jaxcause.graph._causal_graph import CausalGraph
from jaxcause.graph._marks import Mark

Ends = list[list[int]]
"""Marks while they are worked on: ``ends[i][j]`` is the mark at j."""

Edge = tuple[int, str, int]
"""What a rule concludes, such as ``(a, "*->", b)``, where ``*`` leaves a mark as it is."""

_MARK_OF = {"o": int(Mark.CIRCLE), "<": int(Mark.ARROW), ">": int(Mark.ARROW), "-": int(Mark.TAIL)}


def dag_to_cpdag(dag: Bool[AnyArray, "nodes nodes"]) -> CausalGraph:
    """CPDAG of a DAG by labelling its edges compelled or reversible (Chickering 1995).

    It uses neither separating sets nor Meek's rules, so it checks both.

    Args:
        dag: ``dag[i, j]`` says ``i → j``.

    Raises:
        InputError: The matrix is not square, or has a directed cycle.

    >>> import numpy as np
    >>> collider = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    >>> dag_to_cpdag(collider).edges(["a", "b", "c"])
    [('a', '-->', 'c'), ('b', '-->', 'c')]
    """
    check_square("dag", dag)
    edges = np.asarray(dag, bool)
    position = np.argsort(np.argsort(ancestor_matrix(edges).sum(axis=0), kind="stable"))
    ordered = sorted(np.argwhere(edges).tolist(), key=lambda e: (position[e[1]], -position[e[0]]))
    compelled: dict[tuple[int, int], bool] = {}
    for x, y in ordered:
        if (x, y) not in compelled:
            _label_into(edges, x, y, compelled)
    marks = np.zeros(edges.shape, np.int8)
    for (x, y), is_compelled in compelled.items():
        marks[x, y] = Mark.ARROW if is_compelled else Mark.TAIL
        marks[y, x] = Mark.TAIL
    return CausalGraph(marks)


def _label_into(edges: np.ndarray, x: int, y: int, compelled: dict[tuple[int, int], bool]) -> None:
    """Label the edge x → y and, where it decides them, the other edges into y."""
    parents = [int(p) for p in np.nonzero(edges[:, y])[0]]
    for w in np.nonzero(edges[:, x])[0].tolist():
        if not compelled[w, x]:
            continue
        if not edges[w, y]:
            compelled.update({(p, y): True for p in parents})
            return
        compelled[w, y] = True
    unknown = [p for p in parents if (p, y) not in compelled]
    status = any(p != x and not edges[p, x] for p in parents)
    compelled.update({(p, y): status for p in unknown})


def mag_to_pag(mag: CausalGraph, selection_bias: bool = True) -> CausalGraph:
    r"""PAG of a MAG: the marks that all Markov equivalent MAGs share, and circles elsewhere.

    It starts from the skeleton with circles at all ends, and reads from the MAG which unshielded
    triples and which triples at the end of a discriminating path are colliders; all members agree
    on these. The orientation rules R1 to R10 of Zhang (2008) then follow paths one by one. It uses
    no separating set, so that it can check the searches; it is meant for tens of nodes.

    Args:
        mag: One maximal ancestral graph.
        selection_bias: Count members with undirected edges; without them R5 to R7 never apply.

    Raises:
        InputError: The graph holds circles or conflicts, is not ancestral or not maximal; or
            undirected edges are ruled out but every member of the class has some.

    References:
        Zhang, "On the completeness of orientation rules for causal discovery in the presence of
        latent confounders and selection bias", Artificial Intelligence 2008.

    >>> import numpy as np
    >>> mag = CausalGraph(np.array([[0, 2, 0, 0], [3, 0, 2, 2], [0, 2, 0, 0], [0, 3, 0, 0]]))
    >>> mag.edges("abcd")
    [('a', '-->', 'b'), ('b', '<->', 'c'), ('b', '-->', 'd')]
    >>> mag_to_pag(mag).edges("abcd")
    [('a', 'o->', 'b'), ('c', 'o->', 'b'), ('b', '-->', 'd')]
    """
    known = np.asarray(mag.marks)
    check_maximal("mag", known, mag_ancestors("mag", known))
    truth: Ends = known.tolist()
    ends: Ends = [[int(Mark.CIRCLE) if mark else 0 for mark in row] for row in truth]
    _orient(ends, _colliders(truth))
    rules = [_r1, _r2, _r3, lambda g: _r4(g, truth)]
    rules += [_r5, _r6, _r7] if selection_bias else []
    rules += [_r8, _r9, _r10]
    # `any` stops at the first rule that changes a mark, so the simple rules come first.
    while any(_orient(ends, rule(ends)) for rule in rules):
        pass
    if not selection_bias and any(True for _ in _r5(ends)):
        raise InputError(
            "mag is equivalent only to graphs with undirected edges; set selection_bias=True"
        )
    return CausalGraph(np.array(ends, np.int8).reshape(known.shape))


def _is(g: Ends, a: int, symbol: str, b: int) -> bool:
    """Whether a and b are joined by such an edge; ``*`` stands for any mark."""
    left, right = symbol[0], symbol[2]
    return (
        g[a][b] != Mark.NONE
        and (left == "*" or g[b][a] == _MARK_OF[left])
        and (right == "*" or g[a][b] == _MARK_OF[right])
    )


def _orient(g: Ends, conclusions: Iterable[Edge]) -> bool:
    """Write conclusions over circles; return whether any circle was replaced."""
    changed = False
    for a, symbol, b in list(conclusions):
        for i, j, want in ((b, a, symbol[0]), (a, b, symbol[2])):
            if want != "*" and g[i][j] == Mark.CIRCLE:
                g[i][j] = _MARK_OF[want]
                changed = True
    return changed


def _next_to(g: Ends, a: int) -> list[int]:
    return [b for b, mark in enumerate(g[a]) if mark]


def _edges(g: Ends, symbol: str) -> Iterator[tuple[int, int]]:
    """All edges of this form; an edge that has it from both its ends comes twice."""
    for a in range(len(g)):
        yield from ((a, b) for b in _next_to(g, a) if _is(g, a, symbol, b))


def _paths(
    g: Ends, path: list[int], end: int, passes: Callable[[Ends, int, int], bool]
) -> Iterator[list[int]]:
    """All simple uncovered paths to ``end`` that begin with ``path`` and whose edges pass."""
    if path[-1] == end:
        yield path
        return
    for node in _next_to(g, path[-1]):
        covered = len(path) > 1 and g[path[-2]][node]
        if node not in path and not covered and passes(g, path[-1], node):
            yield from _paths(g, [*path, node], end, passes)


def _possibly_directed(g: Ends, a: int, b: int) -> bool:
    return g[b][a] != Mark.ARROW and g[a][b] != Mark.TAIL


def _is_circle_edge(g: Ends, a: int, b: int) -> bool:
    return _is(g, a, "o-o", b)


def _colliders(truth: Ends) -> Iterator[Edge]:
    """R0: a *→ b ←* c where a and c are not adjacent."""
    for a, b in _edges(truth, "*->"):
        for c in _next_to(truth, b):
            if c != a and not truth[a][c] and _is(truth, b, "<-*", c):
                yield a, "*->", b


def _r1(g: Ends) -> Iterator[Edge]:
    """R1: a *→ b o-* c, a and c not adjacent: b → c."""
    for a, b in _edges(g, "*->"):
        for c in _next_to(g, b):
            if c != a and not g[a][c] and _is(g, b, "o-*", c):
                yield b, "-->", c


def _r2(g: Ends) -> Iterator[Edge]:
    """R2: a → b *→ c or a *→ b → c, and a *-o c: a *→ c."""
    for a, c in _edges(g, "*-o"):
        for b in _next_to(g, a):
            first = _is(g, a, "-->", b) and _is(g, b, "*->", c)
            if first or (_is(g, a, "*->", b) and _is(g, b, "-->", c)):
                yield a, "*->", c


def _r3(g: Ends) -> Iterator[Edge]:
    """R3: a *→ b ←* c, a *-o d o-* c, a and c not adjacent, d *-o b: d *→ b."""
    for d, b in _edges(g, "*-o"):
        into = [a for a in _next_to(g, b) if _is(g, a, "*->", b) and _is(g, a, "*-o", d)]
        if any(not g[a][c] for a, c in itertools.combinations(into, 2)):
            yield d, "*->", b


def _r4(g: Ends, truth: Ends) -> Iterator[Edge]:
    """R4: a discriminating path ⟨…, a, b, c⟩ for b, and b o-* c: a ↔ b ↔ c, or else b → c."""
    for b, c in _edges(g, "o-*"):
        for a in _next_to(g, b):
            if _discriminates(g, [b, a], c):
                if _is(truth, a, "*->", b) and _is(truth, b, "<-*", c):
                    yield a, "<->", b
                    yield b, "<->", c
                else:
                    yield b, "-->", c


def _discriminates(g: Ends, path: list[int], c: int) -> bool:
    """Whether ``path``, which leads away from c, can go on to some node not adjacent to c.

    All nodes between its ends are to be colliders on it and parents of c.
    """
    after, node = path[-2:]
    if not (_is(g, after, "*->", node) and _is(g, node, "-->", c)):
        return False
    for before in _next_to(g, node):
        if before != c and before not in path and _is(g, before, "*->", node):
            if not g[before][c] or _discriminates(g, [*path, before], c):
                return True
    return False


def _r5(g: Ends) -> Iterator[Edge]:
    """R5: a o-o b, and an uncovered circle path ⟨a, c, …, d, b⟩: all these edges are undirected.

    Neither a and d nor c and b are adjacent.
    """
    for a, b in _edges(g, "o-o"):
        for path in _paths(g, [a], b, _is_circle_edge):
            if len(path) > 3 and not g[a][path[-2]] and not g[path[1]][b]:
                yield a, "---", b
                yield from ((i, "---", j) for i, j in itertools.pairwise(path))


def _r6(g: Ends) -> Iterator[Edge]:
    """R6: a — b o-* c: b -* c."""
    for _, b in _edges(g, "---"):
        yield from ((b, "--*", c) for c in _next_to(g, b) if _is(g, b, "o-*", c))


def _r7(g: Ends) -> Iterator[Edge]:
    """R7: a -o b o-* c, a and c not adjacent: b -* c."""
    for a, b in _edges(g, "--o"):
        for c in _next_to(g, b):
            if c != a and not g[a][c] and _is(g, b, "o-*", c):
                yield b, "--*", c


def _r8(g: Ends) -> Iterator[Edge]:
    """R8: a → b → c or a -o b → c, and a o→ c: a → c."""
    for a, c in _edges(g, "o->"):
        for b in _next_to(g, c):
            if _is(g, b, "-->", c) and (_is(g, a, "-->", b) or _is(g, a, "--o", b)):
                yield a, "-->", c


def _r9(g: Ends) -> Iterator[Edge]:
    """R9: a o→ c, an uncovered possibly directed path ⟨a, b, …, c⟩, b, c not adjacent: a → c."""
    for a, c in _edges(g, "o->"):
        seconds = {path[1] for path in _paths(g, [a], c, _possibly_directed)}
        if any(b != c and not g[b][c] for b in seconds):
            yield a, "-->", c


def _r10(g: Ends) -> Iterator[Edge]:
    """R10: a o→ c, b → c ← d, paths ⟨a, m, …, b⟩ and ⟨a, n, …, d⟩, m and n not adjacent: a → c.

    The paths are uncovered and possibly directed; m may be b, and n may be d.
    """
    for a, c in _edges(g, "o->"):
        parents = [b for b in _next_to(g, c) if _is(g, b, "-->", c)]
        firsts = [{p[1] for p in _paths(g, [a], b, _possibly_directed)} for b in parents]
        pairs = itertools.chain(
            *(itertools.product(*two) for two in itertools.combinations(firsts, 2))
        )
        if any(m != n and not g[m][n] for m, n in pairs):
            yield a, "-->", c
