"""The methods: functions from a case and a seed to scores and graphs.

A method may give several answers, such as the readouts of one trained forecaster.
"""

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxcause as jc
from benchmarks.lagged.hidden import (
    ancestral_graph,
    as_causes,
    causes_of_its_own,
    contradicted,
    false_of_certain,
)
from benchmarks.lagged.settings import Case
from jaxcause import attribution, io
from jaxcause.discovery import refine
from jaxcause.graph import LaggedGraph
from jaxcause.stats import benjamini_hochberg
from jaxcause.workflows._discover.methods.gradient import OF_TRAINING
from jaxcause.workflows._discover.scores import READOUTS

RATES = (0.1, 0.05)
"""False-discovery rates at which graphs are computed."""


class Answer(NamedTuple):
    """The result of a method: scores ``[source, target, lag]``, and a graph for each rate.

    A method without such a rate gives one graph for all.
    """

    name: str
    scores: np.ndarray
    graphs: dict[float, Any]
    notes: dict[str, Any] = {}


class Method(NamedTuple):
    """How to run a method, what it needs, and the largest number of lagged inputs for it."""

    run: Callable[[Case, int], list[Answer]]
    needs: str = "jaxcause"
    most_inputs: int = 10**9
    trained: bool = False
    only_with_regimes: bool = False


class NotAvailable(Exception):
    """The method cannot be run on this machine; the message says why."""


def _options(method: str) -> set[str]:
    """The options of a method of ours, if this version has it."""
    known = jc.methods.registered()
    if method not in known:
        raise NotAvailable(f"jc.discover has no method {method!r} here")
    return {option.name for option in known[method].options()}


def _discover(case: Case, *, method: str, **options: Any) -> Any:
    for name in options.keys() - _options(method) - {"key", "progress"}:
        raise NotAvailable(f"jc.discover has no {name}= here")
    return jc.discover(case.series, case.max_lag, method=method, **options)


def _read_again(given: dict[str, Any], forecaster: Any) -> dict[str, Any]:
    """The options that a trained forecaster leaves anything to do for."""
    rest = {name: value for name, value in given.items() if name not in OF_TRAINING}
    return rest | {"forecaster": forecaster}


def classical(method: str, **options: Any) -> Callable[[Case, int], list[Answer]]:
    """A method of ours that trains nothing; one without a rate gives one graph for all."""

    def run(case: Case, seed: int) -> list[Answer]:
        del seed
        given = {"transform": "standardise"} | options
        has_rate = "q" in _options(method)
        found = {
            q: _discover(case, method=method, **({"q": q} if has_rate else {}), **given)
            for q in (RATES if has_rate else RATES[:1])
        }
        last = found[RATES[0]]
        graphs = {q: found.get(q, last).graph for q in RATES}
        return [Answer(method, np.asarray(last.scores), graphs)]

    return run


def gradient(
    name: str, *, with_domain: bool = False, alone: bool = False, **options: Any
) -> Callable[[Case, int], list[Answer]]:
    """The forecaster of jaxcause, trained once: its default, and unless alone all readouts."""

    def run(case: Case, seed: int) -> list[Answer]:
        given = dict(options, key=jax.random.key(seed), progress=False)
        if with_domain:
            given["domain"] = case.domain
        first = _discover(case, method="gradient", q=RATES[0], **given)
        again = _read_again(given, first.forecaster)
        found = {RATES[0]: first}
        found |= {q: _discover(case, method="gradient", q=q, **again) for q in RATES[1:]}
        notes = {
            "selection": first.info.selection,
            "held_out_error": first.info.held_out_error,
            "held_out_error_linear": first.info.held_out_error_linear,
            "told": float(first.info.simultaneous_errors is not None),
        }
        notes["searched"] = float(first.info.latents)
        graphs = {q: as_causes(f.graph) for q, f in found.items()}
        if first.info.latents:
            notes |= _of_marks(found, case)
        said = name if alone else f"{name}, default"
        answers = [Answer(said, np.asarray(first.scores), graphs, notes)]
        if alone:
            return answers
        for readout in _readouts(options.get("head") == "gaussian"):
            read = _discover(case, method="gradient", readout=readout, **again)
            scores = np.asarray(read.strength)
            chosen = {q: attribution.select_fdr(scores**2, q=q) for q in RATES}
            answers.append(Answer(f"{name}, {readout}", scores, chosen))
        return answers

    return run


def searched(name: str, **options: Any) -> Callable[[Case, int], list[Answer]]:
    """The forecaster with searched edges; an edge that may be a hidden cause counts too."""

    def run(case: Case, seed: int) -> list[Answer]:
        given = dict(options, key=jax.random.key(seed), progress=False)
        first = _discover(case, method="gradient", q=RATES[0], **given)
        again = _read_again(given, first.forecaster)
        found = {RATES[0]: first}
        found |= {q: _discover(case, method="gradient", q=q, **again) for q in RATES[1:]}
        graphs = {q: as_causes(f.graph) for q, f in found.items()}
        return [Answer(name, np.asarray(first.scores), graphs, _of_marks(found, case))]

    return run


def told_by_an_oracle(case: Case, seed: int) -> list[Answer]:
    """The search for hidden causes with perfect tests, which shows the marks that remain open."""
    del seed
    if case.system is None:
        raise NotAvailable("is about hidden causes")
    right = ancestral_graph(case.system)
    n_lags = case.max_lag + 1
    edges = np.asarray(right.adjacency) & (np.arange(n_lags) > 0)
    seen = np.arange(n_lags * right.n_vars)
    test = jc.oracle_test(causes_of_its_own(case.system), seen)
    found = refine(LaggedGraph.from_mask(edges), test=test, latents=True, alpha=0.5)
    graphs = dict.fromkeys(RATES, as_causes(found.graph))
    notes = _of_marks(dict.fromkeys(RATES, found), case)
    return [Answer("oracle, latents searched", edges.astype(float), graphs, notes)]


def _of_marks(found: dict[float, Any], case: Case) -> dict[str, float]:
    """The share of false edges, for each rate."""
    true = np.asarray(case.truth.directed)
    notes = {f"FDP --> q={q}": false_of_certain(f.graph, true) for q, f in found.items()}
    if case.system is not None:
        right = ancestral_graph(case.system)
        notes |= {f"FDP marks q={q}": contradicted(f.graph, right) for q, f in found.items()}
    return notes


def _readouts(density: bool) -> list[str]:
    """The names of the readouts of a model, from the workflow."""
    return [k for k, v in READOUTS.items() if density or not v.density]


def guessed(case: Case, seed: int) -> list[Answer]:
    """Scores by chance, and a graph of as many edges as there are: what knowing nothing gives."""
    truth = np.asarray(case.truth if case.summary else case.truth.directed)
    n_vars = len(truth)
    scores = np.random.default_rng(seed).random((n_vars, n_vars, case.max_lag + 1))
    scores[:, :, 0] = 0
    ranked = scores.max(axis=2) * ~np.eye(n_vars, dtype=bool) if case.summary else scores
    least = np.sort(ranked, axis=None)[-max(1, int(truth.sum()))]
    graph = (scores >= least) & (ranked >= least)[:, :, None] if case.summary else scores >= least
    return [Answer("random", scores, dict.fromkeys(RATES, graph))]


def one_series(case: Case) -> np.ndarray:
    """The series for methods that take one, without holes; they are filled in straight lines."""
    if isinstance(case.series, list):
        raise NotAvailable("takes one series")
    x, at = case.series.astype(float), np.arange(len(case.series))
    for column in x.T:
        seen = ~np.isnan(column)
        column[:] = np.interp(at, at[seen], column[seen])
    return x


def tigramite_pcmci(case: Case, seed: int) -> list[Answer]:
    """PCMCI with partial correlations, its defaults, tau_min=1; Benjamini–Hochberg over all."""
    del seed
    made = _tigramite(case).run_pcmci(tau_min=1, tau_max=case.max_lag)
    adjusted = np.ones_like(made["p_matrix"])
    adjusted[:, :, 1:] = np.asarray(benjamini_hochberg(made["p_matrix"][:, :, 1:]))
    scores = np.abs(made["val_matrix"])
    return [Answer("tigramite PCMCI", _no_lag_0(scores), {q: adjusted <= q for q in RATES})]


def tigramite_pcmciplus(case: Case, seed: int) -> list[Answer]:
    """PCMCI+ with partial correlations, pc_alpha=0.01: one graph, with contemporaneous edges."""
    del seed
    made = _tigramite(case).run_pcmciplus(tau_min=0, tau_max=case.max_lag, pc_alpha=0.01)
    graph = _from_tigramite(made["graph"])
    scores = np.abs(made["val_matrix"]) * (made["p_matrix"] <= 1)
    return [Answer("tigramite PCMCI+", _no_lag_0(scores), dict.fromkeys(RATES, graph))]


def varlingam(case: Case, seed: int) -> list[Answer]:
    """VARLiNGAM, pruned, with known lags: one graph of the remaining coefficients."""
    from lingam import VARLiNGAM

    model = VARLiNGAM(lags=case.max_lag, criterion=None, prune=True, random_state=seed)
    found = np.abs(np.asarray(model.fit(one_series(case)).adjacency_matrices_))
    scores = found.transpose(2, 1, 0)
    marks = np.zeros((*scores.shape, 2), np.int8)
    marks[scores > 0] = jc.Mark.TAIL, jc.Mark.ARROW
    now = scores[:, :, 0] > 0
    marks[:, :, 0][now.T] = jc.Mark.ARROW, jc.Mark.TAIL
    graph = LaggedGraph(marks)
    return [Answer("VARLiNGAM", _no_lag_0(scores), dict.fromkeys(RATES, graph))]


def granger_lasso(case: Case, seed: int) -> list[Answer]:
    """Granger causality of causal-learn by lasso, cross-validated: the remaining coefficients."""
    del seed
    from causallearn.search.Granger.Granger import Granger

    found = np.abs(Granger(maxlag=case.max_lag).granger_lasso(one_series(case)))
    n_vars = found.shape[0]
    lagged = found.reshape(n_vars, case.max_lag, n_vars).transpose(2, 0, 1)
    scores = np.concatenate([np.zeros((n_vars, n_vars, 1)), lagged], axis=2)
    return [Answer("causal-learn Granger", scores, dict.fromkeys(RATES, scores > 0))]


def _tigramite(case: Case) -> Any:
    from tigramite import data_processing
    from tigramite.independence_tests.parcorr import ParCorr
    from tigramite.pcmci import PCMCI

    frame = data_processing.DataFrame(one_series(case))
    return PCMCI(frame, cond_ind_test=ParCorr(significance="analytic"), verbosity=0)


def _from_tigramite(graph: np.ndarray) -> LaggedGraph:
    """The graph of tigramite's links; a conflict at one end alone, of LPCMCI, becomes a circle."""
    one_sided = np.char.count(graph, "x") == 1
    return io.from_tigramite(np.where(one_sided, np.char.replace(graph, "x", "o"), graph)).graph


def _no_lag_0(scores: np.ndarray) -> np.ndarray:
    scores = scores.copy()
    scores[:, :, 0] = 0
    return scores


METHODS = {
    "random": Method(guessed),
    "var": Method(classical("var")),
    "lasso": Method(classical("lasso")),
    "pc": Method(classical("pc")),
    "pcmci": Method(classical("pcmci")),
    "pcmci+": Method(classical("pcmci+")),
    "default": Method(gradient("default", alone=True), trained=True),
    "gradient": Method(gradient("gradient"), trained=True),
    "gaussian": Method(gradient("gaussian", head="gaussian"), trained=True),
    "gradient with the regime": Method(
        gradient("gradient with the regime", with_domain=True),
        trained=True,
        only_with_regimes=True,
    ),
    "gradient, latents searched": Method(
        searched("gradient, latents searched", latents=True), trained=True
    ),
    "gradient, within a step searched": Method(
        searched("gradient, within a step searched", contemporaneous=True), trained=True
    ),
    "oracle, latents searched": Method(told_by_an_oracle, trained=True),
    "content": Method(gradient("content", model="content"), trained=True),
    "tigramite PCMCI": Method(tigramite_pcmci, "tigramite", most_inputs=300),
    "tigramite PCMCI+": Method(tigramite_pcmciplus, "tigramite", most_inputs=300),
    "VARLiNGAM": Method(varlingam, "lingam", most_inputs=150),
    "causal-learn Granger": Method(granger_lasso, "causallearn", most_inputs=150),
}
"""Methods by name. To add one, enter a function of a case and a seed here."""

ON_PUBLISHED = (
    "random",
    "var",
    "lasso",
    "pc",
    "pcmci",
    "pcmci+",
    "default",
    "tigramite PCMCI",
    "tigramite PCMCI+",
    "VARLiNGAM",
    "causal-learn Granger",
)
"""The methods that run on published series."""

CLASSICAL = [name for name, method in METHODS.items() if not method.trained]


def why_not(name: str, *, n_inputs: int, regimes: bool) -> str | None:
    """The reason for not running a method at a size, or None."""
    method = METHODS[name]
    if importlib.util.find_spec(method.needs) is None:
        return f"{method.needs} is not installed"
    if n_inputs > method.most_inputs:
        return f"{n_inputs} lagged inputs; tried up to {method.most_inputs}"
    if method.only_with_regimes and not regimes:
        return "no regimes"
    return None
