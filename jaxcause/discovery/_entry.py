"""The two entries to the core: levels that the host decides, or one traced program with caps."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from jaxcause._checkpoint import fingerprint
from jaxcause._checks import (
    InputError,
    check_at_least,
    check_choice,
    check_mask,
    check_probability,
    check_shape,
    is_concrete,
)
from jaxcause._memory import check_memory
from jaxcause._options import shows_options
from jaxcause._precision import float64_where_asked, outside
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._given import Given, as_test
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.record import SearchRecord
from jaxcause.discovery._kernel.engine import engine_of
from jaxcause.discovery._kernel.sizes import NODES, bucket
from jaxcause.discovery._mesh import search_on_devices
from jaxcause.discovery._problem import (
    Caps,
    Constraints,
    Problem,
    SearchOptions,
    TracedInputs,
    check_knowledge,
    selection_applies,
)
from jaxcause.discovery._result import SearchInfo, SearchResult, join_results
from jaxcause.graph import BackgroundKnowledge, CausalGraph, SepSets
from jaxcause.sharding import check_row_mesh

PAIRS_PER_CHUNK = 1 << 21
"""Pairs of nodes, over all graphs, that are searched together: bounds the memory of a batch."""

SMALLEST_IN_FLOAT32 = 1e-37
"""Half of a smaller ``alpha`` is no normal number there: nothing would be dependent."""

BYTES_PER_PAIR, BYTES_PER_RESULT = 64, 16
"""What a search holds of each pair of nodes while it runs, and what its result holds."""

BYTES_PER_MEMBER, LIKELY_SIZE = 6, 8
"""What each pair takes for every member of the largest separating set, and how many these are in
large graphs if the caller sets no smaller limit."""

BYTES_PER_TRIPLE = 8
"""What rules hold that look at all triples of a graph, or of a neighbourhood."""

TracedSearch = Callable[..., SearchResult]


def search_graphs(
    host_search: "partial[SearchResult]",
    traced_search: TracedSearch,
    given: Given,
    *,
    alpha: float | Float[AnyArray, ""],
    knowledge: BackgroundKnowledge | None = None,
    max_cond_size: int | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
    sepset: str = "max_p",
    caps: Caps | None = None,
    mesh: Mesh | None = None,
    checkpoint: str | Path | None = None,
    latents: bool = False,
) -> SearchResult:
    """Check the arguments, and search every graph of the batch, in chunks of bounded memory.

    Args:
        host_search: A function of a `Problem`, its `Evaluator` and a `SearchRecord`.
        traced_search: The same search as one traced program.
        given: A test, or data to make one of (`as_test`).
        alpha: X and Y are taken as independent given S iff p > alpha.
        knowledge: What is known of the graphs.
        max_cond_size: Largest conditioning set; none by default.
        node_mask: Which nodes take part, as booleans; the others stay without edges.
        sepset: ``max_p`` keeps the separating set of a level with the largest p-value, so that the
            result does not depend on the order of the nodes. ``first`` keeps the first one, as the
            papers have it: with data, renumbering the nodes then changes marks, and fewer of them
            are right.
        caps: Static bounds; with them the search is one compiled program, which also runs inside
            the caller's ``jit`` and ``vmap``, and flags what does not fit in ``info.overflow``.
        mesh: Devices that share the work (`jaxcause.sharding.row_mesh`): the rows of every large
            level, or with caps the graphs of a batch. The result is that of one device.
        checkpoint: File to which the search is written after each level, and from which the same
            call goes on after its process was killed, to the same result bit for bit; chunks of a
            batch have one each (``name``, ``name.1``, …). A test of your own is told from another
            by its type and arrays.
        latents: Whether causes may be hidden, so that graphs are PAGs, whose orientation looks at
            all triples of nodes.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, a cap is no whole
            number or too small, ``sepset`` is not known, ``knowledge`` or ``node_mask`` are about
            another number of nodes, the test is traced and there are no caps, ``checkpoint`` comes
            with caps or several processes, or the search does not fit into memory.
    """
    if mesh is not None:
        check_row_mesh(mesh)
    test = as_test(given)
    batch_shape = engine_of(test).batch_shape  # raises if it is no test
    _check(test, alpha, max_cond_size, knowledge, node_mask, sepset, caps)
    n = test.n_nodes
    constraints = Constraints.none(n)
    if knowledge is not None:
        constraints = Constraints.of(knowledge, latents=latents)
    max_p = sepset == "max_p"
    if not n or not math.prod(batch_shape):
        return _nothing(batch_shape, n)
    _check_memory(math.prod(batch_shape), n, caps, latents, max_cond_size)
    if caps is not None:
        if checkpoint is not None:
            raise InputError(
                "checkpoint goes with levels that the host decides, and caps make one program of "
                "them; leave one of the two out"
            )
        # No set is larger than the nodes beside a pair, or than a list of candidates.
        sizes = (caps.max_cond_size, max_cond_size, n - 2, caps.max_degree)
        largest = max(0, min(size for size in sizes if size is not None))
        caps = caps._replace(max_cond_size=largest)
        mask = jnp.ones(n, bool) if node_mask is None else jnp.asarray(node_mask, bool)
        mask = jnp.broadcast_to(mask, (*batch_shape, n)).reshape(-1, n)
        with float64_where_asked(test, alpha):
            inputs = TracedInputs(test, jnp.asarray(alpha), constraints, mask)
            if mesh is None:
                found = traced_search(inputs, caps, max_p)
            else:
                found = search_on_devices(traced_search, inputs, caps, max_p, mesh=mesh)
            return outside(found)
    if not is_concrete(test, alpha, node_mask):
        raise InputError(
            "test is traced by jit or vmap, where a search needs fixed shapes; pass caps, for "
            "example caps=jc.Caps(max_degree=16, max_cond_size=3)"
        )
    mask = np.ones(n, bool) if node_mask is None else np.asarray(node_mask, bool)
    mask = np.broadcast_to(mask, (*batch_shape, n)).reshape(-1, n)
    largest = n if max_cond_size is None else max_cond_size
    results = []
    for number, (part, graphs) in enumerate(_chunks(test, batch_shape, n)):
        engine = engine_of(part, mesh)
        problem = Problem(engine, float(alpha), constraints, mask[graphs], max_p, largest, n)
        evaluate = Evaluator(engine, alpha=float(alpha), max_p=max_p)
        record = SearchRecord()
        if checkpoint is not None:
            record = _record(Path(checkpoint), number, host_search, part, problem, mesh)
        results.append(host_search(problem, evaluate, record))
    return join_results(results, batch_shape)


@shows_options(SearchOptions, of=search_graphs)
def search_pags(
    host_search: Callable[..., SearchResult],
    traced_search: TracedSearch,
    given: Given,
    *,
    alpha: float | Float[AnyArray, ""],
    knowledge: BackgroundKnowledge | None = None,
    selection_bias: bool | None = None,
    **options: Unpack[SearchOptions],
) -> SearchResult:
    """`search_graphs` for graphs that are PAGs, whose marks depend on selection bias.

    Args:
        host_search: A function of ``selection_bias`` and what `search_graphs` says.
        traced_search: The same search as one traced program.
        given: A test, or data to make one of.
        alpha: X and Y are taken as independent given S iff p > alpha.
        knowledge: What cannot cause another node has an arrowhead where the two are adjacent; a
            required edge is directed; an edge forbidden both ways is left out, which says that no
            hidden cause joins its ends either. Tiers and one forbidden direction do not say that:
            such an edge is ``<->``. `BackgroundKnowledge` says which rules are complete.
        selection_bias: Whether the sample may have been selected by its values (R5–R7); by default
            yes, unless knowledge gives directions, which says nothing about marks under selection.

    Raises:
        InputError: ``selection_bias=True`` comes with directions, or as for `search_graphs`.
    """
    selected = selection_applies(selection_bias, knowledge)
    return search_graphs(
        partial(host_search, selected),
        partial(traced_search, selection_bias=selected),
        given,
        alpha=alpha,
        knowledge=knowledge,
        latents=True,
        **options,
    )


def _record(
    path: Path,
    number: int,
    host_search: "partial[SearchResult]",
    test: CITest,
    problem: Problem,
    mesh: Mesh | None,
) -> SearchRecord:
    """The file of a chunk of graphs, and whose it is."""
    own = path if not number else path.with_name(f"{path.name}.{number}")
    asked = problem._replace(engine=test)  # pyright: ignore[reportArgumentType]
    of = fingerprint(host_search.func.__qualname__, host_search.args, asked)
    return SearchRecord(own, of, mesh)


def _check(
    test: CITest,
    alpha: float | Float[AnyArray, ""],
    max_cond_size: int | None,
    knowledge: BackgroundKnowledge | None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None,
    sepset: str,
    caps: Caps | None,
) -> None:
    """Refuse arguments that no search takes."""
    check_probability("alpha", alpha)
    check_choice("sepset", sepset, ("first", "max_p"))
    single = caps is not None and engine_of(test).traced_dtype == np.float32
    if single and is_concrete(alpha) and float(alpha) < SMALLEST_IN_FLOAT32:
        raise InputError(
            f"alpha={float(alpha):g} is below what float32 can hold, in which caps search these "
            f"correlations; give alpha of at least {SMALLEST_IN_FLOAT32:g}, or float64 correlations"
        )
    if max_cond_size is not None:
        check_at_least("max_cond_size", max_cond_size, 0)
    if caps is not None:
        check_at_least("caps.max_degree", caps.max_degree, 1)
        check_at_least("caps.max_cond_size", caps.max_cond_size, 0)
    n = test.n_nodes
    check_knowledge(knowledge)
    if knowledge is not None and knowledge.n_nodes != n:
        raise InputError(f"knowledge is about {knowledge.n_nodes} nodes, but the test has {n}")
    if node_mask is not None:
        check_mask("node_mask", node_mask, n, "node that takes part")
        check_shape("node_mask", node_mask, (n,))


def _check_memory(
    n_graphs: int, n: int, caps: Caps | None, latents: bool, max_cond_size: int | None
) -> None:
    """Refuse a search whose arrays cannot fit: results of all graphs, and the work on a chunk."""
    at_once = n_graphs if caps is not None else min(n_graphs, max(1, PAIRS_PER_CHUNK // (n * n)))
    per_graph = BYTES_PER_PAIR * n**2
    if latents:
        at_once_of_triples = 1 if caps is None else n_graphs
        per_triple = BYTES_PER_TRIPLE * float(bucket(n, NODES)) ** 3
        triples = at_once_of_triples * per_triple
    else:
        width = 0 if caps is None else min(caps.max_degree, n)
        triples = at_once * BYTES_PER_TRIPLE * float(n) * width**2
    limits = (max_cond_size, None if caps is None else caps.max_cond_size, LIKELY_SIZE, n)
    largest = min(size for size in limits if size is not None)
    held = n_graphs * (BYTES_PER_RESULT + BYTES_PER_MEMBER * largest) * n**2
    graphs = f"{n_graphs} graphs of " if n_graphs > 1 else ""
    check_memory(
        f"a search of {graphs}{n} nodes",
        held + at_once * per_graph + triples,
        "search fewer nodes" + (" or graphs" if n_graphs > 1 else ""),
    )


def _nothing(batch_shape: tuple[int, ...], n: int) -> SearchResult:
    """The result where there is no graph, or no node."""
    marks, none = np.zeros((*batch_shape, n, n), np.int8), np.zeros(batch_shape, bool)
    found = np.zeros((*batch_shape, n, n), bool)
    sepsets = SepSets(np.full((*batch_shape, n, n, 0), -1, np.int32), found)
    counts, levels = np.zeros(batch_shape, np.int64), np.zeros((*batch_shape, 0), np.int64)
    info = SearchInfo(levels, levels, counts, counts, counts, none, none, none, found, found)
    p_values = np.full((*batch_shape, n, n), np.nan)
    return SearchResult(CausalGraph(marks), sepsets, p_values, info)


def _chunks(test: Any, batch_shape: tuple[int, ...], n: int) -> Iterator[tuple[Any, slice]]:
    """The test of some graphs at a time."""
    size = math.prod(batch_shape)
    step = max(1, PAIRS_PER_CHUNK // max(1, n * n))
    if size <= step:
        yield test, slice(0, size)
        return
    for start in range(0, size, step):
        part = slice(start, min(size, start + step))
        yield test[np.unravel_index(np.arange(part.start, part.stop), batch_shape)], part
