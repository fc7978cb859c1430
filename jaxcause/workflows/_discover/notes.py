"""Sixth stage: what was found, as plain sentences."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcause.graph import LaggedGraph
from jaxcause.series import usable_windows
from jaxcause.workflows._discover.edges import SelectedEdges
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.hidden import SearchedEdges
from jaxcause.workflows._discover.info import share_on_variance
from jaxcause.workflows._discover.listing import counted, first_of
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.screen import screen_kept
from jaxcause.workflows._discover.stacking import LARGE, LIKELY, SMALL, SURE
from jaxcause.workflows._discover.windows import notes_on_stepwise, notes_on_windows

FEW_CANDIDATES = 100
"""Below it, the bulk of non-edges that an empirical null is fitted to is too small to trust."""
FELT = 0.1
"""Share of a score from which on an edge is said to act on that part of the forecast."""
NOTHING_TO_PREDICT = 0.98
"""Share of the error of the mean from which on the past says next to nothing."""
CHANCE = 1e-3
"""Probability that chance gives a series without effects an edge that is called sure."""


def notes_of(
    data: Prepared,
    fitted: FittedForecaster,
    selected: SelectedEdges,
    found: SearchedEdges,
) -> tuple[str, ...]:
    """Sentences on the forecast, the edges, hidden causes, training and windows."""
    return (
        *_on_forecast(data, fitted, selected),
        *_on_screen(data, selected),
        *_on_edges(data, selected, n_edges=int(found.graph.adjacency.sum())),
        *notes_on_hidden_causes(found, data.names),
        *_on_training(fitted),
        *_on_windows(data, selected),
    )


def _on_forecast(
    data: Prepared, fitted: FittedForecaster, selected: SelectedEdges
) -> tuple[str, ...]:
    weight = fitted.forecaster.weight
    who = "Transformer" if weight == 1 else f"forecast ({weight:.0%} Transformer, the rest linear)"
    notes = [
        f"The held-out error of the {who} is {fitted.error:.3g}, that of a linear model "
        f"{data.linear_error:.3g}, and that of always forecasting the mean {data.mean_error:.3g}."
    ]
    if selected.by_tests.any():
        notes.append(_on_linear_model(data, fitted, selected))
    elif fitted.linear_is_as_good:
        doubt = _doubt_of_gain(data, fitted)
        notes.append(f"{doubt or 'The linear model forecasts as well as the Transformer'}.")
    if selected.widened > 1:
        notes.append(
            f"Most t-statistics are {selected.widened:.1f} times larger than chance makes them, as "
            "where errors depend on one another or hidden causes act on many variables. The tests "
            "were widened by that factor; edges may still be due to such causes."
        )
    return (*notes, *_on_noise_alone(data, fitted, selected))


def _on_noise_alone(
    data: Prepared, fitted: FittedForecaster, selected: SelectedEdges
) -> tuple[str, ...]:
    """Whether nothing can be forecast from the past, or which of the variables cannot."""
    error = np.nanmean(fitted.residuals**2, axis=0)
    lost = error > NOTHING_TO_PREDICT * data.mean_errors
    if 2 * lost.sum() <= len(lost):
        return ()
    names = [name for name, noise in zip(data.names, lost, strict=True) if noise]
    if not lost.all():
        return (
            f"{len(names)} of {len(lost)} variables can hardly be forecast from the past "
            f"({first_of(names)}): edges into them explain next to nothing of their variance.",
        )
    if _has_sure_edge(selected) or fitted.forecaster.config.head != "mean":
        return (
            "Almost nothing can be forecast from the past: what the edges of this graph do to the "
            "means of their targets is small beside the noise, also where it is sure.",
        )
    return (
        "Almost nothing can be forecast from the past, so the edges of this graph mean little. "
        "Try a larger max_lag; the series may also be too noisy.",
    )


def _has_sure_edge(selected: SelectedEdges) -> bool:
    """Whether chance would hardly give an edge of such a p-value in any of the links."""
    if selected.p_value is None:
        return False
    p_value = np.where(np.asarray(selected.graph.adjacency), selected.p_value, np.nan)
    return bool((p_value * np.isfinite(selected.p_value).sum() <= CHANCE).any())


def _on_screen(data: Prepared, selected: SelectedEdges) -> tuple[str, ...]:
    """How many inputs a screen left to the Transformer, and what that means for the edges."""
    kept = screen_kept(data)
    if kept is None:
        return ()
    meaning = (
        ""
        if selected.by_tests.all()
        else (
            " Where its gradients chose the edges, a link that was left out cannot be one: such as "
            "one that matters only together with another, and leaves no trace alone."
        )
    )
    return (
        f"Each target has {len(data.names) * data.max_lag:,} inputs. The Transformer looked at "
        f"those of its own past and at the {kept:.0f} others that depend most on it, linearly or "
        f"not.{meaning} screen= (--screen) sets that number; that of all inputs leaves none out.",
    )


def _on_linear_model(data: Prepared, fitted: FittedForecaster, selected: SelectedEdges) -> str:
    """What it means that a linear model forecasts as well, and what can be done about it."""
    if not selected.by_tests.all():
        better = first_of([data.names[k] for k in np.flatnonzero(~selected.by_tests)])
        return (
            f"The gradients of the Transformer chose the edges into {better}, which it forecasts "
            "better than the linear model does or by inputs that no line shows. Elsewhere the "
            "t-tests of the linear model did; they miss an effect that no line shows, such as that "
            "of a product."
        )
    why = _doubt_of_gain(data, fitted) or (
        "The Transformer adds nothing that counts to the linear forecast"
    )
    if data.windows_per_input < 1:
        why = "There are fewer windows than inputs, too few for gradients"
    missed = "They miss an effect that no line shows, such as that of a product."
    if selected.impact is not None:
        missed = "Forecasts of the held-out windows show no effect that they miss."
    said = f"{why}, so the t-tests of the linear model chose the edges. {missed}"
    if fitted.training.get("status") != "stopped early":
        return said
    return (
        f"{said} Training stopped after {fitted.training['steps']} steps, since nothing nonlinear "
        "was in sight; for such effects give a longer series, or train on by training= (--steps)."
    )


def _doubt_of_gain(data: Prepared, fitted: FittedForecaster) -> str:
    """Why a smaller held-out error of the Transformer is no gain; empty if it is not smaller."""
    gain = fitted.gain
    if fitted.error > (1 - SMALL) * data.linear_error:
        return ""
    if gain.share >= SMALL:
        needed = LIKELY if gain.share >= LARGE else SURE
        return (
            "The smaller error of the Transformer may be due to chance (it is smaller by "
            f"{gain.z:.2f} standard errors, and {needed:g} are asked for)"
        )
    does = "lowers" if gain.share >= 0 else "raises"
    units = ", in units of the noise of its time" * (data.noise is not None)
    return (
        "The smaller error of the Transformer is not steady over time (the mean of both forecasts "
        f"that is best in one half of the held-out windows {does} the linear model's error in the "
        f"other half{units} by {abs(gain.share):.1%})"
    )


def _on_edges(data: Prepared, selected: SelectedEdges, *, n_edges: int) -> tuple[str, ...]:
    n_candidates = int(data.known.lagged.allowed.sum())
    if selected.impact is not None:
        return (
            f"{n_edges} of {counted(n_candidates, 'candidate edge')} "
            f"{'was' if n_edges == 1 else 'were'} found. So few candidates, or so "
            "many edges among them, do not show what chance looks like. So an edge also counts if "
            f"forecasts of the {int(selected.impact.n_windows.max())} held-out windows get worse "
            "when its input is replaced by what the other inputs say of it.",
        )
    rough = n_edges == 0 or n_candidates < FEW_CANDIDATES
    if selected.rule not in ("empirical null", "both") or not rough:
        return ()
    return (
        f"{n_edges} of {counted(n_candidates, 'candidate edge')} "
        f"stand{'s' * (n_edges == 1)} out from the empirical null. The null "
        "is rough if candidates are few or most of them are edges: compare with method='var', or "
        "keep the strongest few by select_top_k (--top-k).",
    )


def notes_on_hidden_causes(found: SearchedEdges, names: tuple[str, ...]) -> tuple[str, ...]:
    """Signs of hidden causes, what was done about them, and what is left in doubt."""
    notes = []
    allowed = found.latents or found.contemporaneous
    if found.simultaneous and (found.automatic or not allowed):
        a, b = found.simultaneous["pair"]
        notes.append(
            f"The forecast errors of {a} and {b} are correlated within a time step "
            f"(r = {found.simultaneous['correlation']:.2f}); this holds for "
            f"{found.simultaneous['n_pairs']} of {found.simultaneous['n_tested']} pairs. A hidden "
            "cause may act on both, one may act on the other within the step, or the mechanism may "
            "change."
        )
    if found.n_differing and found.automatic:
        notes.append(
            f"For {counted(found.n_differing, 'edge')} the instrumental and "
            "the least-squares estimates differ, which suggests hidden causes."
        )
    if found.automatic:
        notes.append(
            "Hidden causes and contemporaneous effects were therefore allowed for, and the "
            "selected edges were searched again; latents=False (--no-latents) turns that off."
        )
    elif found.simultaneous and not allowed:
        notes.append(
            "For that reason edges can be false. To allow for it, pass latents=True, "
            "contemporaneous=True or domain= (--latents, --contemporaneous, --domain)."
        )
    if found.doubted:
        some = ", ".join(names[k] for k in found.doubted)
        notes.append(
            f"Values older than max_lag affect {some} through paths that this graph does not "
            "contain, such as a hidden cause with a long memory. The marks of edges into it rest "
            "on the search alone."
        )
    return tuple(notes)


def notes_on_variance(
    parts: Mapping[str, Any], graph: LaggedGraph, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Which lagged edges act on the variance of their target; none if no variance was forecast."""
    on_variance = share_on_variance(parts)
    if on_variance is None:
        return ()
    edges = np.asarray(graph.adjacency) & (np.arange(graph.max_lag + 1) > 0)
    share = on_variance[edges]
    found = np.argwhere(edges)
    said = []
    for which, chosen in (
        ("the variance of their target and hardly on its mean", share > 1 - FELT),
        ("both the mean and the variance of their target", (share >= FELT) & (share <= 1 - FELT)),
    ):
        if not chosen.any():
            continue
        listed = [f"{names[j]}(t-{lag}) --> {names[i]}(t)" for j, i, lag in found[chosen]]
        said.append(
            f"{len(listed)} of {counted(len(found), 'lagged edge')} "
            f"act{'s' * (len(listed) == 1)} on {which}, by their parts of the score energy: "
            f"{first_of(listed)}."
        )
    return tuple(said)


def _on_training(fitted: FittedForecaster) -> tuple[str, ...]:
    if fitted.training.get("status") == "diverged":
        return (
            f"Training diverged twice; the model of step {fitted.training['best_step']} was kept. "
            "Lower the learning rate.",
        )
    if fitted.training.get("retried"):
        return ("Training diverged and was started again at 0.3 of the learning rate.",)
    return ()


def n_used_windows(data: Prepared) -> int:
    """The windows of the series, with those across the border of the held-out part."""
    return len(usable_windows(data.table, data.max_lag, mask_missing=data.masked))


def _on_windows(data: Prepared, selected: SelectedEdges) -> tuple[str, ...]:
    # The forecaster is judged by its forecasts; only t-tests need windows for each coefficient.
    tests = selected.tests if selected.by_tests.any() else None
    n_terms = 0 if tests is None else tests.n_parameters
    n_used = n_used_windows(data)
    whole, length = not data.masked, data.max_lag + 1
    full = tests is not None and tests.chosen is None
    used = notes_on_windows(data.table, length, n_used, n_terms, whole=whole, full=full)
    if tests is not None:
        used += notes_on_stepwise(tests, n_used)
    if not data.masked:
        return used
    at_mean = (
        " The t-tests took them at their mean, which draws strengths, effects and their intervals "
        "towards 0; missing='drop' (--missing) leaves windows with missing values out."
    )
    return (
        *used,
        "Missing values were inputs of their own to the model, and were not forecast."
        + at_mean * (tests is not None),
    )
