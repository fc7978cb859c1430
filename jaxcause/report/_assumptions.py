"""What each method assumes, and when not to believe it, in plain sentences."""

from typing import Any

from jaxcause.report._values import finite

_ALWAYS = (
    "The mechanism is the same at all times. If the system changed, so that one part of the series "
    "follows other rules than another, the graph mixes both: try each part by itself.",
    "What was measured is what acts. Smoothing, averaging over longer steps, or filling gaps "
    "beforehand spreads influences over lags and variables.",
)
_COMPLETE = (
    "Every common cause of two variables is among the columns. A hidden driver shows up as edges "
    "between the variables that it drives, usually from the one that reacts first."
)
_HIDDEN = (
    "Common causes that were not measured are allowed for: marks other than --> say so. An edge "
    "o-> or <-> is no proof of a cause."
)
_ACROSS = (
    "Causes act from one row to later ones. What acts faster than the rows are apart is not drawn, "
    "and may appear as an edge at lag 1."
)
_WITHIN = (
    "Edges within a row (lag 0) are drawn where the data demand them; o-o says that their "
    "direction is not known."
)
_CHOSEN_BY = {
    "t-tests": "Here a linear model forecasts as well, so its t-tests chose the edges: they see "
    "linear effects on the mean. Strengths are still those of the Transformer.",
    "empirical null": "Edges are scores that stand out from the bulk of all scores, which is taken "
    "for non-edges. Where few pairs were candidates, or most of them are edges, that is rough.",
}
_GRADIENT = (
    "An edge says that the forecasts of a trained Transformer depend on that input. A network that "
    "forecasts badly says little: compare its held-out error with that of the linear model.",
    "Strength is an average over the windows of the series. An effect that acts in rare situations "
    "only is weak, however strong it is there.",
    "Of several sources that carry nearly the same signal, the network may use any: an edge can "
    "stand at the wrong one, or be split between them.",
)
_TESTS = (
    "Edges are kept or dropped by tests of (partial) correlation, which see linear effects. A "
    "purely nonlinear effect, such as a product or an even function, can be missed.",
    "Effects that cancel one another exactly are invisible to such tests; long series make that "
    "unlikely, short ones do not.",
)
_VAR = (
    "Effects are linear and the noise is near to normal: edges are coefficients of a vector "
    "autoregression that differ from zero by a t-test. A nonlinear effect can be missed.",
)
_BY_METHOD = {"gradient": _GRADIENT, "var": _VAR}
_POOR, _USELESS = 0.98, 0.98


def assumptions(info: dict[str, Any], *, max_lag: int, hidden: bool, within: bool) -> list[str]:
    """Sentences for the method in ``info``, the longest lag, and the marks of the graph.

    >>> lines = assumptions({"method": "var", "q": 0.1}, max_lag=3, hidden=False, within=False)
    >>> [line for line in lines if "lag 3" in line][0][:45]
    'No cause takes longer than lag 3. A later one'
    """
    method = str(info.get("method"))
    lines = [*_fit(info), _HIDDEN if hidden else _COMPLETE, _WITHIN if within else _ACROSS]
    lines.append(
        f"No cause takes longer than lag {max_lag}. A later one is missed, or its effect is put "
        "down to a variable that carries it on."
    )
    chosen = [text for by, text in _CHOSEN_BY.items() if by == info.get("selection")]
    return [*lines, *_BY_METHOD.get(method, _TESTS), *chosen, *_rate(info), *_ALWAYS]


def _fit(info: dict[str, Any]) -> list[str]:
    """What the errors of the forecasts say, where there are any."""
    error, linear = (finite(info.get(k)) for k in ("held_out_error", "held_out_error_linear"))
    if error is None:
        return []
    lines = []
    if error > _USELESS:
        lines.append(
            f"Do not believe this graph: the past says next to nothing about what comes (held-out "
            f"error {error:.3g}, where 1 is that of the mean)."
        )
    elif linear is not None and error > linear / _POOR:
        lines.append(
            f"Here a linear model forecasts better than the Transformer ({linear:.3g} against "
            f"{error:.3g}): compare with method='var'."
        )
    return lines


def _rate(info: dict[str, Any]) -> list[str]:
    """What the level of the tests promises, and what not."""
    q, alpha = finite(info.get("q")), finite(info.get("alpha"))
    if q is not None:
        return [
            f"About {100 * q:g} % of the edges may be false even if all this holds: that is the "
            "false-discovery rate aimed at, an average over many series and no promise for one."
        ]
    if alpha is not None:
        return [
            f"Each test errs in about {100 * alpha:g} % of the cases. With many pairs some edges "
            "are false even if all this holds."
        ]
    return []
