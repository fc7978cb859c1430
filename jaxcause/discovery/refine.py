"""Selected lagged edges, searched again for hidden causes and for effects within a time step."""

import time
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from jaxcause._checks import InputError, check_at_least, check_choice, check_probability
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery import icd, pc
from jaxcause.discovery._refine.given_past import (
    GivenThePast,
    p_given,
    p_values,
    selected_past,
    strength_within,
    whole_past,
)
from jaxcause.discovery._refine.instruments import marked, settle
from jaxcause.discovery._refine.marks import Sets, orient_complete, orient_latent
from jaxcause.graph import BackgroundKnowledge, CausalGraph, LaggedGraph, Mark
from jaxcause.series import unrolled
from jaxcause.stats import partial_correlation_test_from_data

SEARCHES = ("near_past", "icd")

PAST_AT_MOST = 512
"""Lagged nodes up to which edges that were not selected are tested given the whole past."""


class Refined(NamedTuple):
    """What `refine` returns.

    Args:
        graph: Edges with marks, at lags 0 … max_lag.
        info: Settings, tests, and how many edges each step kept.
        strength: Of each edge at lag 0, 0 elsewhere: the absolute partial correlation given the
            other parents of both ends; of another ``test``, its absolute statistic.
    """

    graph: LaggedGraph
    info: dict[str, Any]
    strength: Float[np.ndarray, "vars vars"]


class _Asked(NamedTuple):
    """The problem, once its arguments have been checked."""

    allowed: Bool[np.ndarray, "vars vars lags"]
    required: Bool[np.ndarray, "vars vars lags"]
    test: CITest
    n_slices: int
    latents: bool
    contemporaneous: bool
    alpha: float
    max_cond_size: int | None

    def knowledge(self, edges: np.ndarray) -> BackgroundKnowledge:
        """What the search may still find; lagged edges given, edges at lag 0 both ways."""
        links = edges.copy()
        links[:, :, 0] |= links[:, :, 0].T
        if not self.latents:
            links[:, :, 0] &= self.allowed[:, :, 0]
        return BackgroundKnowledge.temporal(
            len(edges),
            edges.shape[2] - 1,
            contemporaneous=True,
            forbidden_links=~links,
            required_links=self.required,
            n_slices=self.n_slices,
        )


def refine(
    graph: LaggedGraph,
    values: Float[AnyArray, "time vars"] | None = None,
    *,
    latents: bool,
    contemporaneous: bool = False,
    alpha: float = 0.0001,
    q: float | None = 0.1,
    max_cond_size: int | None = 2,
    search: str = "near_past",
    n_rounds: int = 3,
    n_slices: int | None = None,
    segment: Int[AnyArray, "time"] | None = None,
    test: CITest | None = None,
    knowledge: BackgroundKnowledge | None = None,
) -> Refined:
    r"""Search the selected lagged edges again, for hidden causes and effects within a time step.

    A forecaster that sees the whole past of the observed variables selects
    :math:`X_i(t-\ell) \not\perp X_j(t) \mid \text{rest of the past}`. That is more than the parents
    of :math:`X_j(t)` where causes are hidden (conditioning on a child of a hidden cause joins that
    child's parents to the cause's other children) or act within a time step (the past of a
    simultaneous parent counts too). The selected edges become the allowed edges of a search through
    the shared core, with temporal tiers and stationarity; edges at lag 0 are all allowed. Edges
    that were not selected count as separated by the rest of the past where a test agrees, which
    tells colliders from chains.

    With ``latents``, what is older than ``max_lag`` settles the marks of the lagged edges that the
    search leaves, as instruments: an effect that it confirms (at the false-discovery rate ``q``) is
    ``-->``, one that an ordinary regression finds and it does not is ``<->``. No search tells the
    two apart where all that could is older than its window. It holds for linear effects of hidden
    causes whose own values are independent in time and which reach no two variables more than
    ``max_lag`` apart; ``info["instruments"]`` tells the targets for which a test doubts that, and
    whose marks are those of the search.

    ``search="near_past"`` conditions on the selected past of a pair, changed by a small set S: with
    ``latents`` S is left out of it or, where it was not in it, added (given past △ S), and without
    it is added (past ∪ S). Large systems have many pairs whose dependence nearly cancels given
    little; given almost all of the past few do. Where a set separates a pair with a common
    neighbour in it and without, the larger p-value says whether that one is a collider. Rounds
    repeat this without what the last round removed or found to be ``<->``. ``search="icd"`` is
    temporal ICD, sets growing from nothing: in the limit it finds every separating set of its
    window.

    Marks: ``-->`` a cause, perhaps with a hidden one beside it; ``<->`` a hidden common cause;
    ``o->`` either, or both. Without ``latents`` an edge at lag 0 that data leave open is ``---``,
    and ``<->`` a contradiction. With ``latents`` alone an edge at lag 0 can only be ``<->``. To
    compare with a known graph, count ``-->`` and ``o->`` as edges, and ``<->`` as none: an ``o->``
    on a true edge is a hit, on anything else it is a false edge.

    Args:
        graph: Selected edges, such as `discover` finds them; marks and lag 0 are not looked at.
        values: The series as it was transformed for the forecaster; rows with NaN are left out.
        latents: Whether causes may be hidden.
        contemporaneous: Whether effects within a time step are possible.
        alpha: X and Y are taken as independent iff p > alpha.
        q: False-discovery rate of the effects that instruments confirm; None leaves them out. They
            need ``values``, and four windows for each variable and lag up to ``2 * max_lag``.
        max_cond_size: Largest S; None for no limit.
        search: ``"near_past"``, or ``"icd"`` for hidden causes.
        n_rounds: Most rounds of ``"near_past"``.
        n_slices: Time steps that are unrolled. By default ``max_lag + 1``, and ``2 * max_lag + 1``
            for ``"icd"``: a set that separates two variables may hold what is older than any edge
            is long, and in a shorter window ICD keeps more edges (never fewer).
        segment: Which unbroken stretch each row belongs to; none by default.
        test: A conditional independence test over nodes ``lag * vars + var``, instead of values.
        knowledge: Made by `BackgroundKnowledge.temporal`: forbidden links are left out, required
            ones are never tested.

    Returns:
        The graph with its marks, and how the search went.

    Raises:
        InputError: Neither or both of ``values`` and ``test`` are given, shapes do not fit, the
            series is too short, or a name is not known.

    Source: temporal ICD, Rohekar et al. (2023), arXiv 2306.00624; conditioning on the past,
    Gerhardus & Runge (2020), "High-recall causal discovery for autocorrelated time series with
    latent confounders", and Runge (2020), PCMCI+; the two stages, Wang, Wang & Huang (2026),
    arXiv 2601.05647; the past as instrument, Thams, Søndergaard, Weichwald & Peters (2022),
    "Identifying causal effects using instrumental time series".

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 3)); u = rng.normal(size=2000)
    >>> x[1:, 0] += u[:-1]; x[2:, 1] += u[:-2]; x[1:, 0] += x[:-1, 2]  # u is hidden
    >>> mask = np.zeros((3, 3, 3), bool)
    >>> mask[2, 0, 1] = mask[0, 1, 1] = mask[2, 1, 2] = True  # selected: 2 → 1 is spurious
    >>> found = refine(LaggedGraph.from_mask(mask), x, latents=True)
    >>> found.graph.edges("abc")
    [('a', 1, '<->', 'b'), ('c', 1, 'o->', 'a')]
    """
    began = time.perf_counter()
    check_probability("alpha", alpha)
    if q is not None:
        check_probability("q", q)
    check_choice("search", search, SEARCHES)
    check_at_least("n_rounds", n_rounds, 1)
    if search == "icd" and not latents:
        raise InputError("search='icd' is for latents=True; leave it out, or set latents=True")
    n_vars, n_lags = graph.n_vars, graph.max_lag + 1
    if n_lags < 2:
        raise InputError("graph has no lag; refine needs lagged edges")
    n_slices = n_slices or (2 * n_lags - 1 if search == "icd" else n_lags)
    check_at_least("n_slices", n_slices, n_lags)
    window = _window_test(values, test, n_vars, n_slices, segment)
    allowed, required = _links(graph, knowledge, latents or contemporaneous)
    asked = _Asked(
        allowed=allowed,
        required=required,
        test=window,
        n_slices=n_slices,
        latents=latents,
        contemporaneous=contemporaneous,
        alpha=alpha,
        max_cond_size=max_cond_size,
    )
    settled = None
    if latents and q is not None and values is not None:
        settled = settle(values, allowed | required, q=q, segment=segment)
    known = _not_selected(asked)
    found = _by_icd(asked, known) if search == "icd" else _near_past(asked, known, n_rounds)
    marks, counts = found
    newest = LaggedGraph.from_unrolled(CausalGraph(marks), n_vars=n_vars).marks[:, :, :n_lags]
    if settled is not None:
        newest = marked(np.asarray(newest), settled, required, alpha=alpha)
    refined = LaggedGraph(newest)
    info = {
        "search": search,
        "latents": latents,
        "contemporaneous": contemporaneous,
        "alpha": alpha,
        "max_cond_size": max_cond_size,
        "n_slices": n_slices,
        "n_selected": int(np.asarray(graph.adjacency)[:, :, 1:].sum()),
        "n_tests": counts,
        **_counted(np.asarray(newest)),
        "instruments": None if settled is None else settled.info | {"q": q},
        "seconds": time.perf_counter() - began,
    }
    return Refined(refined, info, strength_within(window, refined))


def _near_past(asked: _Asked, known: Sets, n_rounds: int) -> tuple[np.ndarray, list[int]]:
    """Rounds of the core's search given the selected past, each with fewer edges and less past."""
    edges, past = asked.allowed, asked.allowed | asked.required
    counts: list[int] = []
    while True:
        knowledge = asked.knowledge(edges)
        near = GivenThePast(asked.test, selected_past(past), leave_out=asked.latents)
        found = pc(near, alpha=asked.alpha, max_cond_size=asked.max_cond_size, knowledge=knowledge)
        counts.append(int(np.sum(found.info.n_tests)))
        separated = np.asarray(found.sepsets.found)
        member = near.sets(separated, np.asarray(found.sepsets.membership()))
        adjacency = np.asarray(found.graph.adjacency)
        known = known.add(Sets(separated, member))
        if asked.latents:
            known = _confirmed(asked, known, adjacency)
        marks = _oriented(asked, adjacency, known, knowledge)
        left, causes = _edges_and_causes(marks, edges.shape)
        if len(counts) >= n_rounds or (causes == past).all():
            return marks, counts
        # Simultaneous edges stand in both directions; what is known of them, knowledge holds.
        edges, past = left, causes


def _by_icd(asked: _Asked, known: Sets) -> tuple[np.ndarray, list[int]]:
    """Temporal ICD over the allowed edges."""
    knowledge = asked.knowledge(asked.allowed)
    found = icd(
        asked.test,
        alpha=asked.alpha,
        max_cond_size=asked.max_cond_size,
        knowledge=knowledge,
        selection_bias=False,
    )
    searched = Sets(np.asarray(found.sepsets.found), np.asarray(found.sepsets.membership()))
    marks = _oriented(asked, np.asarray(found.graph.adjacency), searched.add(known), knowledge)
    return marks, np.asarray(found.info.n_tests).tolist()


def _oriented(
    asked: _Asked, adjacency: np.ndarray, sets: Sets, knowledge: BackgroundKnowledge
) -> Int8[np.ndarray, "nodes nodes"]:
    everywhere = sets.repeated(len(asked.allowed))
    if asked.latents:
        only_hidden = not asked.contemporaneous
        return orient_latent(adjacency, everywhere, knowledge, never_simultaneous=only_hidden)
    return orient_complete(adjacency, everywhere, knowledge)


def _not_selected(asked: _Asked) -> Sets:
    """Lagged pairs that may be no edge: separated by the rest of the past where a test agrees."""
    n_vars, _, n_lags = asked.allowed.shape
    sets = Sets.none(asked.test.n_nodes)
    out = ~(asked.allowed | asked.required)
    out[:, :, 0] = False
    source, target, lag = np.nonzero(out)
    early = lag * n_vars + source
    if n_vars * (n_lags - 1) > PAST_AT_MOST:
        return sets
    test = GivenThePast(asked.test, whole_past(n_vars, n_lags - 1))
    agrees = p_values(test, early, target) > asked.alpha if early.size else early > 0
    early, target = early[agrees], target[agrees]
    for x, y in ((early, target), (target, early)):
        sets.found[x, y] = True
        sets.member[x, y] = _is_past(n_vars, n_vars * n_lags, asked.test.n_nodes)
        sets.member[x, y, early] = False
    return sets


def _confirmed(asked: _Asked, known: Sets, adjacency: np.ndarray) -> Sets:
    """Sets whose say on each triple is that of the larger p-value.

    Whether the middle of a triple X - M - Y is a collider rests on M being outside of the set that
    separates X and Y. If the set separates them with M as well as without, which by chance one of
    some thousand sets does, the p-values decide.
    """
    pairs = np.argwhere(
        np.triu(known.found) & (np.arange(len(adjacency)) < len(asked.allowed))[:, None]
    )
    if not len(pairs):
        return known
    row, middle = np.nonzero(adjacency[pairs[:, 0]] & adjacency[pairs[:, 1]])
    x, y = pairs[row].T
    inside = known.member[x, y]
    other = inside.copy()
    other[np.arange(len(row)), middle] ^= True
    here, there = (p_given(asked.test, x, y, given) for given in (inside, other))
    turned = (there > asked.alpha) & (there > here)
    x, y, middle = x[turned], y[turned], middle[turned]
    member = known.member.copy()
    member[x, y, middle] ^= True
    member[y, x, middle] ^= True
    return Sets(known.found, member)


def _is_past(n_vars: int, oldest: int, n_nodes: int) -> Bool[np.ndarray, "nodes"]:
    nodes = np.arange(n_nodes)
    return (nodes >= n_vars) & (nodes < oldest)


def _edges_and_causes(
    marks: np.ndarray, shape: tuple[int, ...]
) -> tuple[Bool[np.ndarray, "vars vars lags"], Bool[np.ndarray, "vars vars lags"]]:
    """Edges that are left, and those whose earlier end may be a cause."""
    graph = LaggedGraph.from_unrolled(CausalGraph(marks), n_vars=shape[0])
    ends = np.asarray(graph.marks)[:, :, : shape[2]]
    left = ends[..., 0] != Mark.NONE
    causes = left & (ends[..., 0] != Mark.ARROW)
    causes[:, :, 0] = left[:, :, 0]
    return left, causes


def _links(
    graph: LaggedGraph, knowledge: BackgroundKnowledge | None, simultaneous: bool
) -> tuple[np.ndarray, np.ndarray]:
    allowed = np.array(graph.adjacency)
    allowed[:, :, 0] = simultaneous & ~np.eye(graph.n_vars, dtype=bool)
    if knowledge is None:
        return allowed, np.zeros_like(allowed)
    links = knowledge.links(graph.n_vars)
    if links.possible.shape != allowed.shape:
        raise InputError(
            f"knowledge is about {knowledge.n_nodes} nodes, but the graph has {allowed.shape[2]} "
            f"slices of {graph.n_vars} variables; make it by BackgroundKnowledge.temporal"
        )
    possible = links.possible.copy()
    # Knowledge without simultaneous effects says nothing against hidden causes at lag 0.
    possible[:, :, 0] |= ~possible[:, :, 0].any()
    return (allowed & possible) | links.required, links.required


def _window_test(
    values: Any, test: CITest | None, n_vars: int, n_slices: int, segment: Any
) -> CITest:
    if (values is None) == (test is None):
        raise InputError("refine needs either values or a test; pass one of them")
    if test is not None:
        if test.n_nodes != n_slices * n_vars:
            raise InputError(
                f"test is about {test.n_nodes} nodes, but must be about n_slices * vars = "
                f"{n_slices} * {n_vars}"
            )
        return test
    windows = unrolled(values, n_vars, n_slices, segment)
    if len(windows) <= n_slices * n_vars + 3:
        raise InputError(
            f"values has {len(windows)} windows of {n_slices} complete rows, too few for "
            f"{n_slices * n_vars} lagged variables; give a longer series or a smaller max_lag"
        )
    return partial_correlation_test_from_data(windows)


def _counted(marks: np.ndarray) -> dict[str, int]:
    """How many edges of each kind; those at lag 0 once."""
    once = np.ones(marks.shape[:3], bool)
    once[:, :, 0] = np.triu(once[:, :, 0], 1)
    early, late = marks[..., 0], marks[..., 1]
    arrows = (early == Mark.ARROW).astype(int) + (late == Mark.ARROW)
    tails = (early == Mark.TAIL) | (late == Mark.TAIL)
    there = once & (early != Mark.NONE)
    return {
        "n_directed": int((there & (arrows == 1) & tails).sum()),
        "n_hidden": int((there & (arrows == 2)).sum()),
        "n_open": int((there & (arrows < 2) & ~((arrows == 1) & tails)).sum()),
    }
