"""What PCMCI and PCMCI+ share as methods of `discover`: the search, q-values, the record."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from jaxcause._memory import check_memory
from jaxcause.discovery import PcmciResult
from jaxcause.graph import LaggedGraph
from jaxcause.series import LinkKnowledge, SeriesTable, lagged_correlation
from jaxcause.stats import NoiseWeights
from jaxcause.workflows._discover.candidates import link_tests
from jaxcause.workflows._discover.info import DiscoveryInfo, Finding
from jaxcause.workflows._discover.linear_effects import effects_by_regression
from jaxcause.workflows._discover.noise import changing_noise, notes_on_noise, record_of_noise
from jaxcause.workflows._discover.prepare import transformed_windows
from jaxcause.workflows._discover.required import judge_required
from jaxcause.workflows._discover.strength import with_parents
from jaxcause.workflows._discover.windows import holed_windows, notes_on_windows

SCORE = "absolute partial correlation given the parents of both ends"


class MomentarySearch(NamedTuple):
    """What a search found, its q-values, what is known, the series, its windows, and settings."""

    result: PcmciResult
    q_value: Float[np.ndarray, "vars vars lags"]
    known: LinkKnowledge
    table: SeriesTable
    names: tuple[str, ...]
    n_windows: int
    window_length: int
    holes: bool
    contemporaneous: bool
    transform: str
    alpha: float
    notes: tuple[str, ...]
    noise: dict[str, float] | None

    @property
    def directions(self) -> Bool[np.ndarray, "vars vars"]:
        """Which directions an edge at lag 0 may have."""
        return self.known.allowed[:, :, 0] & ~self.known.required[:, :, 0].T

    def kept(self, q: float) -> Bool[np.ndarray, "vars vars lags"]:
        """Links with a q-value of at most ``q``, and required ones; symmetric at lag 0."""
        required = self.known.required.copy()
        required[:, :, 0] |= required[:, :, 0].T
        return (self.q_value <= q) | required


def search_momentary(
    search: Callable[..., PcmciResult],
    table: SeriesTable,
    max_lag: int,
    *,
    window_length: int,
    transform: str,
    contemporaneous: bool,
    known: LinkKnowledge,
    alpha: float,
    max_cond_size: int | None,
    testwise: bool,
    noise: str,
    mesh: Mesh | None,
    checkpoint: str | Path | None,
) -> MomentarySearch:
    """Run `pcmci` or `pcmci_plus` on the correlations of a series with its own past."""
    holed = holed_windows(table, window_length, transform) if testwise else None
    moved, loud = table, None
    if holed is None:
        values, starts, moved = transformed_windows(table, window_length, transform)
        data, n_windows = lagged_correlation(values, starts, max_lag=max_lag)
        ends = starts + window_length - 1 - max_lag
        allowed = None if known.allowed[:, :, 1:].all() else known.allowed
        loud = changing_noise(values, ends, max_lag=max_lag, allowed=allowed, asked=noise)
        if loud is not None:
            data = _by_target(np.asarray(values), starts, loud, max_lag)
    else:
        data, n_windows = holed.samples, holed.samples.n_samples
    if not contemporaneous:
        known = known.lagged
    found = search(
        data,
        n_windows,
        n_vars=len(table.names),
        allowed=known.allowed,
        required=known.required,
        pc_alpha=alpha,
        max_cond_size=max_cond_size,
        mesh=mesh,
        checkpoint=checkpoint,
    )
    q_value = link_tests(found.p_value).q_value
    n_parameters = _largest_set(found) + 1
    notes = (
        notes_on_windows(moved, window_length, n_windows, n_parameters)
        if holed is None
        else holed.notes(window_length, n_parameters, with_parents(found.graph))
    )
    return MomentarySearch(
        result=found,
        q_value=q_value,
        known=known,
        table=table,
        names=table.names,
        n_windows=n_windows,
        window_length=window_length,
        holes=holed is not None,
        contemporaneous=contemporaneous,
        transform=transform,
        alpha=alpha,
        notes=(*notes, *notes_on_noise(loud, table.names, robust=False)),
        noise=record_of_noise(loud, table.names),
    )


def _by_target(
    values: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    noise: NoiseWeights,
    max_lag: int,
) -> Float[np.ndarray, "*targets nodes nodes"]:
    """The correlations for tests of each target, its calm windows counting for more.

    One matrix for all if they share their weights.
    """
    weights = noise.by_variance
    shared = [common for common, _ in noise.groups(weights)]
    if len(shared) == 1:
        return lagged_correlation(values, starts, max_lag=max_lag, weights=shared[0]).corr
    n_nodes = (2 * max_lag + 1) * values.shape[1]
    check_memory(
        f"correlations of {n_nodes:,} lagged variables for each of {values.shape[1]:,} targets",
        24.0 * values.shape[1] * n_nodes**2,
        "pass noise='steady'",
    )
    return np.stack(
        [lagged_correlation(values, starts, max_lag=max_lag, weights=w).corr for w in weights.T]
    )


def _largest_set(found: PcmciResult) -> int:
    """Nodes that a test conditions on at most: parents of both ends, and neighbours at lag 0."""
    n_parents = int(found.info.parents.sum(axis=(0, 2)).max(initial=0))
    return 2 * n_parents + len(found.info.n_tests_mci) - 1


def momentary_finding(
    found: MomentarySearch, graph: LaggedGraph, *, q: float, alpha: float | None
) -> Finding:
    """The graph with its scores, and how it was found.

    Args:
        found: The search.
        graph: What it selected.
        q: The false-discovery rate of the selection.
        alpha: The level at which the search itself removes links, if it does.
    """
    strength = np.abs(found.result.statistic)
    supported = np.asarray(found.q_value <= q)
    if alpha is not None:
        supported &= np.asarray(found.result.p_value <= alpha)
    judged = judge_required(found.known.required, supported, found.names)
    info = DiscoveryInfo(
        score=SCORE,
        strength=SCORE,
        contemporaneous=found.contemporaneous,
        transform=found.transform,
        q=q,
        alpha=found.alpha,
        n_windows=found.n_windows,
        n_tests=tuple(found.result.info.n_tests.tolist() + found.result.info.n_tests_mci.tolist()),
        n_conflicts=found.result.info.n_conflicts + (judged.n_conflicts or 0),
        noise=found.noise,
        notes=(*found.notes, *judged.notes),
        p_value=found.result.p_value,
        q_value=found.q_value,
    )
    more = effects_by_regression(
        found.table,
        graph.max_lag,
        transform=found.transform,
        graph=graph,
        length=found.window_length,
        holes=found.holes,
    )
    return Finding(graph, strength, strength, info, None, *more)
