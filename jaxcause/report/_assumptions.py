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
    "o-> or <-> is no proof of a cause. The longer past, which tells effects from such causes on "
    "long series, does so for causes whose own values do not hang together in time."
)
_ACROSS = (
    "Causes act from one row to later ones. What acts faster than the rows are apart is not drawn, "
    "and may appear as an edge at lag 1."
)
_WITHIN = (
    "Effects within a row (lag 0) are allowed for, and edges there are drawn where the data demand "
    "them. --- and o-o say that their direction is not known."
)
_CONTRADICTION = "An edge <-> within a row says that the tests contradict one another there."
_WITHIN_HIDDEN = (
    "Causes act from one row to later ones: an edge within a row (lag 0) can only be <->, a cause "
    "that was not measured. What acts faster than the rows are apart looks like that."
)
_CHOSEN_BY = {
    "t-tests": "Here a linear model forecasts as well as the Transformer, so its t-tests chose the "
    "edges: they see linear effects on the mean. Strengths are its own, too, unless another "
    "readout was asked for.",
    "empirical null": "Edges are scores that stand out from the bulk of all scores, which is taken "
    "for non-edges. Where few pairs were candidates, or most of them are edges, that is rough.",
}
_REFINED = (
    "The selected edges were searched again by tests of partial correlation, which see linear "
    "effects: they dropped edges, drew those within a row, and decided the marks. Selected edges "
    "that no linear test sees were kept as they were."
)
_FORECAST = (
    "An edge says that the forecasts of a trained Transformer depend on that input. A network that "
    "forecasts badly says little: compare its held-out error with that of the linear model."
)
_GRADIENT = (
    "Strength is an average over the windows of the series. An effect that acts in rare situations "
    "only is weak, however strong it is there.",
    "Of several sources that carry nearly the same signal, the model may use any: an edge can "
    "stand at the wrong one, or be split between them.",
)
_LINEAR = (
    "Only linear effects are seen. A purely nonlinear effect, such as a product or an even "
    "function, can be missed."
)
_CANCEL = (
    "Effects that cancel one another exactly are invisible to such tests; long series make that "
    "unlikely, short ones do not."
)
_PC = (
    "Edges are dropped where a test of partial correlation, given some of the other lagged "
    "variables, finds nothing. Such tests find too much in strongly autocorrelated series, which "
    "method='pcmci' copes with better.",
    _LINEAR,
    _CANCEL,
)
_PCMCI = (
    "For each variable a search picks likely causes; an edge is a partial correlation that remains "
    "given those of both ends. A cause that the search missed is not held fixed, and its effect is "
    "put down to others.",
    _LINEAR,
    _CANCEL,
)
_PCMCI_PLUS = (
    "A search drops edges where a test of partial correlation, given the past of both ends, finds "
    "nothing, and orients those within a row by the rules of PC. In short series an orientation "
    "rests on a few tests: believe that there is an edge before you believe its direction.",
    _LINEAR,
    _CANCEL,
)
_VAR = (
    "Effects are linear and the noise is near to normal: edges are coefficients of a vector "
    "autoregression that differ from zero by a t-test. A nonlinear effect can be missed.",
)
_LASSO = (
    "Effects are linear: edges are the coefficients of a vector autoregression that a penalty on "
    "their size leaves, where the penalty is the one that forecasts the latest rows best. A "
    "nonlinear effect can be missed.",
    "No test stands behind an edge, and no error rate is promised. The best forecast keeps more "
    "than the true edges: believe the order of the strengths before you believe a weak edge.",
    "Of several sources that carry nearly the same signal, the penalty keeps one or a few, not "
    "always the right ones.",
)
_ANY = ("How edges were chosen is not known to this page.",)
_BY_METHOD = {
    "gradient": _GRADIENT,
    "lasso": _LASSO,
    "pc": _PC,
    "pcmci": _PCMCI,
    "pcmci+": _PCMCI_PLUS,
    "var": _VAR,
}
_POOR, _USELESS = 0.98, 0.98


def assumptions(info: dict[str, Any], *, max_lag: int, hidden: bool, within: bool) -> list[str]:
    """Sentences for the method in ``info``, the longest lag, and what was allowed for.

    Args:
        info: Method, settings and errors.
        max_lag: Longest lag.
        hidden: Whether hidden causes were allowed for.
        within: Whether there are edges at lag 0; what ``info`` says of them goes first.

    >>> lines = assumptions({"method": "var", "q": 0.1}, max_lag=3, hidden=False, within=False)
    >>> [line for line in lines if "lag 3" in line][0][:45]
    'No cause takes longer than lag 3. A later one'
    """
    simultaneous = allowed(info, "contemporaneous", within)
    if simultaneous:
        speed = [_WITHIN] if hidden else [_WITHIN, _CONTRADICTION]
    else:
        speed = [_WITHIN_HIDDEN if hidden and within else _ACROSS]
    lines = [*_fit(info), _HIDDEN if hidden else _COMPLETE, *speed]
    lines.append(
        f"No cause takes longer than lag {max_lag}. A later one is missed, or its effect is put "
        "down to a variable that carries it on."
    )
    return [*lines, *_chosen(info), *_rate(info), *_ALWAYS]


def allowed(info: dict[str, Any], setting: str, seen: bool) -> bool:
    """A setting; in results that do not hold it, whether the marks say so."""
    said = info.get(setting)
    if said is None and isinstance(info.get("refined"), dict):
        said = info["refined"].get(setting)
    return seen if said is None else bool(said)


def _chosen(info: dict[str, Any]) -> list[str]:
    """How edges were chosen, and what that misses."""
    method, selection = str(info.get("method")), info.get("selection")
    lines = list(_BY_METHOD.get(method, _ANY))
    if method == "gradient" and selection != "t-tests":
        lines = [_FORECAST, *lines]
    lines += [text for by, text in _CHOSEN_BY.items() if by == selection]
    return [*lines, _REFINED] if info.get("refined") else lines


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
