"""A second search of selected lagged edges, for hidden causes and contemporaneous effects."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_at_least, check_choice, check_probability
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._phase_record import PhaseRecord
from jaxcause.discovery._refine.instruments import apply_verdicts
from jaxcause.discovery._refine.instruments import instrument_verdicts as instrument_verdicts
from jaxcause.discovery._refine.near_past import search_near_past
from jaxcause.discovery._refine.not_selected import LARGEST_PAST as LARGEST_PAST
from jaxcause.discovery._refine.not_selected import sets_of_non_selected
from jaxcause.discovery._refine.problem import RefineProblem, known_edges, window_test
from jaxcause.discovery._refine.strength import CONTEMPORANEOUS_STRENGTH as CONTEMPORANEOUS_STRENGTH
from jaxcause.discovery._refine.strength import contemporaneous_strength as contemporaneous_strength
from jaxcause.discovery._refine.window_icd import search_by_icd
from jaxcause.graph import BackgroundKnowledge, LaggedGraph, Mark

SEARCHES = ("near_past", "icd")


class RefineInfo(NamedTuple):
    """Settings of `refine`, its tests, and its edges.

    Args:
        search: Which search it was.
        latents: Whether causes could be hidden.
        contemporaneous: Whether effects at lag 0 were possible.
        alpha: Level of the tests.
        max_cond_size: Largest conditioning set, or None.
        n_slices: Time steps that were unrolled.
        n_selected: Lagged edges before the search.
        n_tests: Tests of each round, or of each level of ICD.
        n_directed: Edges ``-->``; edges at lag 0 count once, here and below.
        n_hidden: Edges ``<->``.
        n_open: Other edges.
        instruments: ``q``, ``p_value`` of no effect ``[source, target, lag]``, how many edges
            instruments confirmed (``n_causes``) or found due to a hidden cause (``n_explained``),
            and the targets (``doubted``) for which the older past is no valid instrument. None if
            instruments were not used.
        seconds: How long it took.
    """

    search: str
    latents: bool
    contemporaneous: bool
    alpha: float
    max_cond_size: int | None
    n_slices: int
    n_selected: int
    n_tests: list[int]
    n_directed: int
    n_hidden: int
    n_open: int
    instruments: dict[str, Any] | None
    seconds: float


class Refined(NamedTuple):
    """What `refine` returns.

    Args:
        graph: Edges with marks, at lags 0 … max_lag.
        info: Settings, tests, and how many edges of each kind are left.
        strength: For each edge at lag 0, the absolute partial correlation given the other parents
            of both ends (of another ``test``, its absolute statistic); 0 elsewhere.
    """

    graph: LaggedGraph
    info: RefineInfo
    strength: Float[np.ndarray, "vars vars"]


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
    targets: Bool[AnyArray, "time"] | None = None,
    test: CITest | None = None,
    knowledge: BackgroundKnowledge | None = None,
    checkpoint: str | Path | None = None,
) -> Refined:
    r"""Search selected lagged edges again, for hidden causes and contemporaneous effects.

    A forecaster that sees the whole past of the observed variables selects an edge where
    :math:`X_i(t-\ell) \not\perp X_j(t) \mid \text{rest of the past}`. Such edges are not only the
    parents of :math:`X_j(t)`. If causes are hidden, conditioning on a child of a hidden cause
    connects the child's parents with the cause's other children. If effects are contemporaneous,
    the past of a contemporaneous parent is selected as well. So the selected edges and all edges at
    lag 0 are searched by the shared core, with temporal tiers and stationarity. The ends of an edge
    that was not selected count as separated by the rest of the past if a test confirms it; that
    shows which nodes between them are colliders.

    With ``latents``, values older than ``max_lag`` serve as instruments for the lagged edges that
    the search leaves. An edge whose effect they confirm (at the false-discovery rate ``q``) becomes
    ``-->``. An edge that an ordinary regression finds and they do not becomes ``<->``. A search
    alone cannot distinguish the two if all variables that could are older than its window.
    Instruments assume that effects are linear, that the values of hidden causes are independent in
    time, and that a hidden cause reaches no two variables more than ``max_lag`` apart.
    ``info.instruments["doubted"]`` lists the targets for which a test rejects that; edges into them
    keep the marks of the search.

    ``search="near_past"`` conditions on the selected past of a pair, modified by a small set S:
    with ``latents`` on past △ S, which leaves members out and adds others, and without ``latents``
    on past ∪ S. In large systems, many dependences nearly cancel given few variables, and few of
    them cancel given almost all of the past. If two sets separate a pair, one with a common
    neighbour and one without it, the larger p-value decides whether that neighbour is a collider.
    Rounds repeat the search without the edges that the last round removed or found to be ``<->``.
    ``search="icd"`` is temporal ICD, whose sets grow from the empty set: without a limit on their
    size it finds every separating set in its window.

    Marks: ``-->`` is a cause, which may share a hidden cause with its effect; ``<->`` is a hidden
    common cause; ``o->`` is either, or both. Without ``latents``, an edge at lag 0 is ``---`` if
    the data do not determine its direction, and ``x-x`` if they contradict themselves. With
    ``latents`` alone an edge at lag 0 can only be ``<->``. To compare with a known graph, count
    ``-->`` and ``o->`` as edges and ``<->`` as none: an ``o->`` is right on a true edge, and a
    false edge elsewhere.

    Args:
        graph: Selected edges, such as those of `discover`; marks and lag 0 are ignored.
        values: The series as it was transformed for the forecaster; rows with NaN are left out.
        latents: Whether causes may be hidden.
        contemporaneous: Whether effects at lag 0 are possible.
        alpha: X and Y are taken as independent iff p > alpha.
        q: False-discovery rate of the effects that instruments confirm; None for no instruments.
            They need ``values``, and four windows for each variable and lag up to ``2 * max_lag``.
        max_cond_size: Largest S; None for no limit.
        search: ``"near_past"``, or ``"icd"`` with ``latents``.
        n_rounds: Most rounds of ``"near_past"``.
        n_slices: Time steps that are unrolled. By default ``max_lag + 1``, and ``2 * max_lag + 1``
            for ``"icd"``: a separating set may hold values older than any edge is long, and in a
            shorter window ICD keeps more edges (never fewer).
        segment: Which unbroken stretch each row belongs to; by default there is one.
        targets: Which rows may be predicted; by default all.
        test: A conditional independence test over nodes ``lag * vars + var``, instead of values.
        knowledge: Made by `BackgroundKnowledge.temporal`: forbidden links are left out, required
            ones are never tested.
        checkpoint: File to which the search is written between its parts, and from which the same
            call goes on after its process was killed, to the same result bit for bit. Each round
            writes its levels to a file of its own beside it (``name.0``, ``name.1``, …). A test of
            your own is told from another by its type and arrays.

    Returns:
        The graph with its marks, and how the search went.

    Raises:
        InputError: Neither or both of ``values`` and ``test`` are given, shapes do not fit, the
            series is too short, a name is not known, or ``checkpoint`` is damaged or belongs to
            another search.

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
    _check_options(graph, alpha=alpha, q=q, search=search, n_rounds=n_rounds, latents=latents)
    n_vars, n_lags = graph.n_vars, graph.max_lag + 1
    n_slices = n_slices or (2 * n_lags - 1 if search == "icd" else n_lags)
    test = window_test(
        values, test, segment, targets, n_vars=n_vars, n_lags=n_lags, n_slices=n_slices
    )
    edges = known_edges(graph, knowledge, latents=latents, contemporaneous=contemporaneous)
    problem = RefineProblem(*edges, test, n_slices, latents, contemporaneous, alpha, max_cond_size)
    path = None if checkpoint is None else Path(checkpoint)
    record = PhaseRecord(path, ("refine", search, n_rounds, problem))
    separated = sets_of_non_selected(problem, record)
    if search == "icd":
        marks, n_tests = search_by_icd(problem, separated, record)
    else:
        marks, n_tests = search_near_past(problem, separated, record, n_rounds=n_rounds)
    instruments = None
    if latents and q is not None and values is not None:
        tested = (problem.allowed & problem.causes) | problem.required
        verdicts = instrument_verdicts(values, tested, q=q, segment=segment, targets=targets)
        if verdicts is not None:
            marks = apply_verdicts(marks, verdicts, problem.required, alpha=alpha)
            instruments = verdicts.summary() | {"q": q}
    refined = LaggedGraph(marks)
    info = RefineInfo(
        search,
        latents,
        contemporaneous,
        alpha,
        max_cond_size,
        n_slices,
        int(np.asarray(graph.adjacency)[:, :, 1:].sum()),
        n_tests,
        *_count_edges(marks),
        instruments,
        time.perf_counter() - began,
    )
    return Refined(refined, info, contemporaneous_strength(test, refined))


def _check_options(
    graph: LaggedGraph, *, alpha: float, q: float | None, search: str, n_rounds: int, latents: bool
) -> None:
    check_probability("alpha", alpha)
    if q is not None:
        check_probability("q", q)
    check_choice("search", search, SEARCHES)
    check_at_least("n_rounds", n_rounds, 1)
    if search == "icd" and not latents:
        raise InputError("search='icd' is for latents=True; leave it out, or set latents=True")
    if graph.max_lag < 1:
        raise InputError("graph has no lag; refine needs lagged edges")


def _count_edges(marks: np.ndarray) -> tuple[int, int, int]:
    """Edges ``-->``, ``<->`` and others; those at lag 0 once."""
    once = np.ones(marks.shape[:3], bool)
    once[:, :, 0] = np.triu(once[:, :, 0], 1)
    edges = once & (marks[..., 0] != Mark.NONE)
    n_arrows = (marks == Mark.ARROW).sum(axis=-1)
    directed = edges & (n_arrows == 1) & (marks == Mark.TAIL).any(axis=-1)
    hidden = edges & (n_arrows == 2)
    return int(directed.sum()), int(hidden.sum()), int((edges & ~directed & ~hidden).sum())
