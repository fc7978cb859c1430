"""What each method assumes, and when its graph should not be believed, in plain sentences."""

from typing import Any

from jaxcause.report._values import finite

_ALWAYS = (
    "The mechanism is the same at all times. If the system changed, the graph mixes the parts of "
    "the series before and after the change. Analyse each part separately.",
    "The data are the raw measurements. If you smoothed them, averaged them over longer steps or "
    "filled gaps, effects spread over several lags and variables.",
)
_COMPLETE = (
    "Every common cause of two variables is among the columns. A hidden cause produces false edges "
    "between the variables that it drives. They usually start at the variable that reacts first."
)
_HIDDEN = (
    "Hidden common causes are allowed for: any mark other than --> says that one is possible. An "
    "edge o-> or <-> does not prove a causal effect. In long series the older past helps to tell "
    "effects from hidden causes, but only if the hidden cause does not depend on its own past."
)
_LAGGED = (
    "Causes act from one time step to later ones. An effect that is faster than one time step is "
    "not drawn. It may appear as an edge at lag 1."
)
_CONTEMPORANEOUS = (
    "Contemporaneous effects (lag 0, within one time step) are allowed for, and drawn where the "
    "data require them. An edge --- or o-o has an unknown direction."
)
_CONTRADICTION = (
    "An edge x-x at lag 0 was oriented both ways: the tests contradict one another there."
)
_CONTEMPORANEOUS_HIDDEN = (
    "Causes act from one time step to later ones. An edge at lag 0 can only be <->, a hidden "
    "common cause. An effect that is faster than one time step looks the same."
)
_CHOSEN_BY = {
    "t-tests": "A linear model forecasts this series as well as the Transformer, so its t-tests "
    "chose the edges. They detect linear effects on the mean. The strengths come from the linear "
    "model too, unless you asked for another readout.",
    "empirical null": "An edge is a score that stands out from the bulk of all scores, because "
    "most candidate edges are assumed to be false. With few candidates, or with mostly true "
    "ones, this selection is rough, so held-out forecasts without each input are compared, too, if "
    "enough windows were held out.",
}
_REFINED = (
    "The selected edges were searched again with tests of partial correlation, which detect linear "
    "effects. These tests removed edges, added contemporaneous ones, and decided the marks. "
    "Selected edges that no linear test detects were kept unchanged."
)
_FORECAST = (
    "An edge means that the forecasts of a trained Transformer depend on that input. If the "
    "Transformer forecasts badly, its edges mean little: compare its held-out error with that of "
    "the linear model."
)
_GRADIENT = (
    "Strength is an average over all windows of the series. An effect that acts only in rare "
    "situations has a small average, however large it is in those situations.",
    "If several sources carry nearly the same signal, the model may use any of them. An edge can "
    "start at the wrong source, or be split among several.",
)
_LINEAR = (
    "Only linear effects are detected. A purely nonlinear effect, such as a product or an even "
    "function, can be missed."
)
_CANCEL = (
    "Effects that cancel one another exactly cannot be detected. This is unlikely in long series "
    "but not in short ones."
)
_PC = (
    "An edge is removed if a test of partial correlation, given some of the other lagged "
    "variables, finds no dependence. In strongly autocorrelated series these tests keep too many "
    "edges. method='pcmci' handles such series better.",
    _LINEAR,
    _CANCEL,
)
_PCMCI = (
    "A search picks the likely causes of each variable. An edge is a partial correlation that "
    "remains given those of both ends. If the search missed a cause, the effect of that cause may "
    "be assigned to other variables.",
    _LINEAR,
    _CANCEL,
)
_PCMCI_PLUS = (
    "An edge is removed if a test of partial correlation, given the past of both ends, finds no "
    "dependence. Contemporaneous edges are oriented by the rules of PC. In short series an "
    "orientation rests on a few tests: trust the edge more than its direction.",
    _LINEAR,
    _CANCEL,
)
_VAR = (
    "Effects are linear and the noise is nearly normal. An edge is a coefficient of a vector "
    "autoregression that differs from zero by a t-test. A nonlinear effect can be missed.",
)
_LASSO = (
    "Effects are linear. An edge is a coefficient of a vector autoregression that remains under a "
    "penalty on the size of all coefficients. The penalty is the one that forecasts the latest "
    "rows best. A nonlinear effect can be missed.",
    "No test stands behind an edge, and no error rate is controlled. The best forecast keeps more "
    "than the true edges: trust the order of the strengths more than any weak edge.",
    "If several sources carry nearly the same signal, the penalty keeps one or a few of them, and "
    "not always the right ones.",
)
_ANY = ("This page does not know how the edges were chosen.",)
_BY_METHOD = {
    "gradient": _GRADIENT,
    "lasso": _LASSO,
    "pc": _PC,
    "pcmci": _PCMCI,
    "pcmci+": _PCMCI_PLUS,
    "var": _VAR,
}
_POOR, _USELESS = 0.98, 0.98


def assumptions(
    info: dict[str, Any], *, max_lag: int, hidden: bool, contemporaneous: bool
) -> list[str]:
    """Sentences for the method in ``info``, the longest lag, and what the search allowed for.

    Args:
        info: Method, settings and errors.
        max_lag: Longest lag.
        hidden: Whether hidden causes were allowed for.
        contemporaneous: Whether there are edges at lag 0; a setting in ``info`` takes precedence.

    >>> found = {"method": "var", "q": 0.1}
    >>> lines = assumptions(found, max_lag=3, hidden=False, contemporaneous=False)
    >>> [line for line in lines if "lag 3" in line][0][:33]
    'No effect takes longer than lag 3'
    """
    if allowed(info, "contemporaneous", contemporaneous):
        speed = [_CONTEMPORANEOUS] if hidden else [_CONTEMPORANEOUS, _CONTRADICTION]
    else:
        speed = [_CONTEMPORANEOUS_HIDDEN if hidden and contemporaneous else _LAGGED]
    lines = [*_fit(info), _HIDDEN if hidden else _COMPLETE, *speed]
    lines.append(
        f"No effect takes longer than lag {max_lag}. A slower effect is missed, or assigned to a "
        "variable that passes it on."
    )
    return [*lines, *_chosen(info), *_rate(info), *_ALWAYS]


def allowed(info: dict[str, Any], setting: str, seen: bool) -> bool:
    """Whether a setting is on; in results without that setting, what the marks show."""
    said = info.get(setting)
    if said is None and isinstance(info.get("refined"), dict):
        said = info["refined"].get(setting)
    return seen if said is None else bool(said)


def _chosen(info: dict[str, Any]) -> list[str]:
    """How the edges were chosen, and what that choice misses."""
    method, selection = str(info.get("method")), info.get("selection")
    lines = list(_BY_METHOD.get(method, _ANY))
    if method == "gradient" and selection != "t-tests":
        lines = [_FORECAST, *lines]
    lines += [text for by, text in _CHOSEN_BY.items() if by == selection]
    return [*lines, _REFINED] if info.get("refined") else lines


def _fit(info: dict[str, Any]) -> list[str]:
    """Warnings that follow from the held-out errors, if these are known."""
    error, linear = (finite(info.get(k)) for k in ("held_out_error", "held_out_error_linear"))
    if error is None:
        return []
    lines = []
    of_mean = finite(info.get("held_out_error_mean")) or 1.0
    if error > _USELESS * of_mean:
        lines.append(
            "Do not believe this graph: the past predicts almost nothing (held-out error "
            f"{error:.3g}; that of always forecasting the mean is {of_mean:.3g})."
        )
    elif linear is not None and error > linear / _POOR:
        lines.append(
            f"For this series a linear model forecasts better than the Transformer ({linear:.3g} "
            f"against {error:.3g}). Compare this graph with that of method='var'."
        )
    return lines


def _rate(info: dict[str, Any]) -> list[str]:
    """What error rate the level of the tests aims at, and what it does not promise."""
    q, alpha = finite(info.get("q")), finite(info.get("alpha"))
    if q is not None:
        return [
            f"About {100 * q:g} % of the edges may be false even if all assumptions hold. This "
            "false-discovery rate is an average over many series, not a guarantee for this one."
        ]
    if alpha is not None:
        return [
            f"Each test errs in about {100 * alpha:g} % of the cases. With many pairs, some edges "
            "are false even if all assumptions hold."
        ]
    return []
