"""How a series would go on after a change of some variables: responses and what they assume."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxcause._checks import InputError, check_at_least, check_probability
from jaxcause.workflows._discover.dynamics import Dynamics, Model, PathWindows
from jaxcause.workflows._discover.listing import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_WINDOWS = 100
MOST_VALUES = 1 << 24
"""Values after windows that are looked at to find whole ones; of more windows, some are."""


@dataclasses.dataclass(frozen=True, eq=False)
class Response:
    """How every variable responds to a change, in units of the data.

    Args:
        names: Names of the variables.
        response: Mean over windows of the path with the change less the path without; row 0 is the
            step of the change, row k lies k steps later.
        low: Lower end of the range in which the responses of most windows and models lie.
        high: Upper end.
        change: The change of each variable that was changed.
        sustained: Whether the change lasts.
        level: Share of the responses between ``low`` and ``high``.
        n_windows: Number of windows.
        n_models: Number of models: members of an ensemble, or draws of linear coefficients.
        assumptions: What a causal reading of the response assumes, in plain sentences.
    """

    names: tuple[str, ...]
    response: Float[np.ndarray, "steps vars"]
    low: Float[np.ndarray, "steps vars"]
    high: Float[np.ndarray, "steps vars"]
    change: Mapping[str, float]
    sustained: bool
    level: float
    n_windows: int
    n_models: int
    assumptions: tuple[str, ...]

    @property
    def table(self) -> Shaped[np.ndarray, "rows"]:
        """One row per step and variable: ``step, variable, response, low, high``."""
        width = max(1, *(len(name) for name in self.names))
        kinds = [("step", int), ("variable", f"U{width}")]
        numbers = [(name, float) for name in ("response", "low", "high")]
        rows = [
            (step, name, *(float(part[step, k]) for part in (self.response, self.low, self.high)))
            for step in range(len(self.response))
            for k, name in enumerate(self.names)
        ]
        return np.array(rows, dtype=[*kinds, *numbers])

    def summary(self) -> str:
        """The largest response of each variable, and the assumptions, as text."""
        width = max(8, *(len(name) for name in self.names))
        lines = [
            self._title(),
            f"{'variable':<{width}}  step    response  {self.level:.0%} between",
        ]
        for k, name in enumerate(self.names):
            step = int(np.abs(self.response[:, k]).argmax())
            low, high = self.low[step, k], self.high[step, k]
            lines.append(
                f"{name:<{width}}  {step:>4}  {self.response[step, k]:>10.4g}  "
                f"{low:.4g} and {high:.4g}"
            )
        return "\n".join([*lines, *(f"- {said}" for said in self.assumptions)])

    def plot(self, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the responses along the steps: see `jaxcause.plot.response_paths`."""
        from jaxcause import plot

        return plot.response_paths(
            self.response, low=self.low, high=self.high, names=self.names, title=self._title(),
            ax=ax,
        )  # fmt: skip

    def _title(self) -> str:
        said = ", ".join(f"{name} {size:+g}" for name, size in self.change.items())
        return f"Response to {said} {'from step 0 on' if self.sustained else 'at step 0'}"

    def __repr__(self) -> str:
        """The response in one line."""
        return f"<Response: {self._title()}, {counted(len(self.response) - 1, 'step')}>"


class _Task(NamedTuple):
    """Where paths begin, what is changed, and the shocks that both paths meet."""

    past: Float[np.ndarray, "windows time vars"]
    later: Float[np.ndarray, "steps windows vars"]
    domain: Int[np.ndarray, "steps windows"]
    change: Float[np.ndarray, "vars"]
    held: Bool[np.ndarray, "vars"]
    sustained: bool


def respond_to(
    dynamics: Dynamics,
    names: tuple[str, ...],
    change: Mapping[str, float],
    *,
    steps: int,
    sustained: bool,
    n_windows: int,
    level: float,
) -> Response:
    """The response to a change: see `Discovery.respond`."""
    sizes = _checked_change(change, names)
    check_at_least("steps", steps, 1)
    check_at_least("n_windows", n_windows, 1)
    check_probability("level", level)
    task = _task(dynamics.windows, sizes, steps=steps, sustained=sustained, n_windows=n_windows)
    models = dynamics.models()
    paths = np.stack([_response(model, dynamics.windows, task) for model in models])
    # The first linear model has the estimated coefficients, and the draws lie around it.
    means = paths.mean(axis=2)
    linear = len(paths) > 1 and hasattr(models[0], "coefficients")
    edges = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(
        paths.transpose(0, 2, 1, 3).reshape(-1, *means.shape[1:]), edges, axis=0
    )
    return Response(
        names=names,
        response=means[0] if linear else means.mean(axis=0),
        low=low,
        high=high,
        change={name: float(size) for name, size in change.items()},
        sustained=sustained,
        level=level,
        n_windows=len(task.past),
        n_models=len(paths),
        assumptions=_assumptions(dynamics, sustained=sustained),
    )


def _checked_change(
    change: Mapping[str, float], names: tuple[str, ...]
) -> Float[np.ndarray, "vars"]:
    if not isinstance(change, Mapping) or not change:
        raise InputError(f'change={change!r} must name variables, such as {{"{names[0]}": 1.0}}')
    sizes = np.zeros(len(names))
    for name, size in change.items():
        if name not in names:
            raise InputError(
                f"change names {name!r}, which is not a variable; there are {', '.join(names)}"
            )
        real = isinstance(size, int | float | np.number) and not isinstance(size, bool)
        if not real or not math.isfinite(size):
            raise InputError(f"change of {name!r} is {size!r}; give a finite number")
        sizes[names.index(name)] = size
    return sizes


def _task(
    series: PathWindows,
    sizes: Float[np.ndarray, "vars"],
    *,
    steps: int,
    sustained: bool,
    n_windows: int,
) -> _Task:
    """PathWindows spread over the series, first of all those that whole rows follow."""
    values, starts, n_rows = series.values, series.starts, len(series.values)
    most = max(n_windows, MOST_VALUES // (steps * values.shape[1]))
    if len(starts) > most:
        starts = starts[np.unique(np.linspace(0, len(starts) - 1, most).astype(int))]
    # The last row of a history is the step of the change, so that row has a past, too.
    last = starts + series.max_lag - 1
    later = last[:, None] + np.arange(1, steps + 1)
    inside = later < n_rows
    later = np.minimum(later, n_rows - 1)
    inside &= series.segment[later] == series.segment[last][:, None]
    whole = (inside[:, :, None] & ~np.isnan(values[later])).all(axis=(1, 2))
    usable = np.flatnonzero(whole) if whole.sum() >= min(n_windows, 10) else np.arange(len(starts))
    chosen = usable[
        np.unique(np.linspace(0, len(usable) - 1, min(n_windows, len(usable))).astype(int))
    ]
    rows = starts[chosen][:, None] + np.arange(series.max_lag)
    after = np.where(inside[chosen][:, :, None], values[later[chosen]], np.nan)
    return _Task(
        past=np.nan_to_num(values[rows]),
        later=after.transpose(1, 0, 2),
        domain=series.domain[later[chosen]].T,
        change=sizes,
        held=sizes != 0,
        sustained=sustained,
    )


def _response(
    model: Model, series: PathWindows, task: _Task
) -> Float[np.ndarray, "steps windows vars"]:
    """Paths with the change less those without, in units of the data, one per window.

    Both meet the same shocks: those by which the observed rows differ from their forecasts, and
    none where a row is missing. The path without the change is then the observed one.
    """
    back, base, other = series.transform.inverse, task.past, task.past.copy()
    other[:, -1] = _moved(series, task, base[:, -1])
    other[:, -1] += model.settle(other[:, -1] - base[:, -1], task.held)
    found = [back(other[:, -1]) - back(base[:, -1])]
    for observed, domain in zip(task.later, task.domain, strict=True):
        plain = model.forecast(base, domain)
        plain = plain + model.settle(plain, np.zeros_like(task.held))
        row = np.where(np.isnan(observed), plain, observed)
        shock = row - plain
        free = model.forecast(other, domain)
        # The shock is that of the whole row, after effects within the step.
        moved = free + model.settle(free, np.zeros_like(task.held)) + shock
        if task.sustained:
            held = _moved(series, task, row)
            direct = np.where(task.held, held, moved)
            moved = direct + model.settle(direct - moved, task.held)
        found.append(back(moved) - back(row))
        base = np.concatenate([base[:, 1:], row[:, None]], axis=1)
        other = np.concatenate([other[:, 1:], moved[:, None]], axis=1)
    return np.stack(found)


def _moved(
    series: PathWindows, task: _Task, row: Float[np.ndarray, "windows vars"]
) -> Float[np.ndarray, "windows vars"]:
    """A row in which the changed variables have their new values."""
    changed = series.transform(series.transform.inverse(row) + task.change)
    return np.where(task.held, changed, row)


def _assumptions(dynamics: Dynamics, *, sustained: bool) -> tuple[str, ...]:
    said = [
        f"The response is that of {dynamics.said}. It is causal if the graph is: if no common "
        "cause is hidden, and no effect is left out.",
        "Both paths meet the same shocks, and the change alters neither them nor the mechanism.",
        "The change comes from outside: what drives the changed variables does not react"
        + (", and they stay changed." if sustained else " at that step."),
        "A change that leaves the range of the data is answered by extrapolation.",
    ]
    if dynamics.windows.of_changes:
        said.append("Changes and responses are those of the differences from row to row.")
    if (kind := dynamics.windows.transform.kind) != "standardise":
        said.append(
            f"Under transform={kind!r}, values below the smallest or, of "
            "'copula', beyond the largest one seen count as that one."
        )
    return tuple(said)
