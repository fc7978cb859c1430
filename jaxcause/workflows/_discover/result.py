"""What `discover` returns."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxcause._checks import InputError, check_choice
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.io import graph_from_json, graph_to_json, to_networkx, to_tigramite
from jaxcause.report import discovery_page
from jaxcause.series import SeriesTable
from jaxcause.workflows._discover.candidates import (
    Candidates,
    candidates_of,
    has_cross_edge,
)
from jaxcause.workflows._discover.effects import COLUMNS, Effects
from jaxcause.workflows._discover.info import DiscoveryInfo
from jaxcause.workflows._discover.printed import edge_lines
from jaxcause.workflows._discover.provenance import versions
from jaxcause.workflows._saved import Saved, as_array, exact, plain, read_document

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    from matplotlib.axes import Axes

    from jaxcause.workflows._discover.dynamics import Dynamics
    from jaxcause.workflows._discover.forecaster import TrainedForecaster
    from jaxcause.workflows._discover.over_time import EdgesOverTime
    from jaxcause.workflows._discover.respond import Response

SCHEMA = "jaxcause.discovery/1"
PICTURES = ("time", "summary", "scores", "curves", "responses", "training")
TESTS = ("p_value", "q_value")
"""Columns of the table that come from ``info``."""


@dataclasses.dataclass(frozen=True, repr=False)
class Discovery(Saved):
    """The lagged causal graph of a series, and what it rests on.

    Args:
        graph: Edges ``X_i(t-lag) *-* X_j(t)``.
        scores: What the edges were chosen by, ``[source, target, lag]``; what it is stands in
            ``info.score``.
        strength: The size of each effect, ``[source, target, lag]``; what it is stands in
            ``info.strength``. At lag 0, scores and strengths are symmetric: both are the absolute
            partial correlation of an edge given the other parents of both ends, and 0 for other
            pairs (``"pcmci"`` and ``"pcmci+"``: of all pairs that were tested). Lag 0 is all zero
            if neither hidden causes nor contemporaneous effects were allowed for.
        names: Names of the variables.
        forecaster: The trained Transformer; None for methods without one.
        info: Settings, errors, times, and notes in plain sentences: a `DiscoveryInfo`.
        series: The series, for `over_time`; JSON does not keep it.
        domain: The regime of each row that the forecaster was told; None with one regime. JSON does
            not keep it.
        effects: Signed effects of the edges, with intervals, shares and response curves: an
            `Effects`. None where a method of your own does not say.
        dynamics: What `respond` starts from; None for results that were read from JSON.
    """

    graph: LaggedGraph
    scores: Float[AnyArray, "vars vars lags"]
    strength: Float[AnyArray, "vars vars lags"]
    names: tuple[str, ...]
    forecaster: "TrainedForecaster | None"
    info: DiscoveryInfo
    series: SeriesTable | None = dataclasses.field(default=None, compare=False)
    domain: Int[np.ndarray, "time"] | None = dataclasses.field(default=None, compare=False)
    effects: Effects | None = None
    dynamics: "Dynamics | None" = None

    @property
    def table(self) -> Shaped[np.ndarray, "edges"]:
        """The edges: ``source, target, lag, edge, score, strength``, effects, p- and q-values.

        Edges between two variables come first, the strongest of them first, and then those from a
        variable to itself. ``effect`` has a sign and is in units of the target per unit of the
        source, ``low`` and ``high`` are the ends of its interval, and ``share`` is the share of the
        target's variance that only this source explains (see `Effects`). ``p_value`` and
        ``q_value`` are those of ``info``. All are NaN where they are not known. With
        ``head="gaussian"``, ``on_variance`` is the share of the score by which an edge acts on the
        variance of its target and not on its mean.

        A structured array: ``table["score"]`` is a column, and `to_dataframe` makes a frame of it.
        """
        at = {name: i for i, name in enumerate(self.names)}
        scores, strength = np.asarray(self.scores), np.asarray(self.strength)
        unknown = dict.fromkeys((*COLUMNS, *TESTS), np.full(scores.shape, np.nan))
        more = unknown | self.values
        rows = []
        for source, lag, symbol, target in self.graph.edges(self.names):
            cell = at[source], at[target], lag
            numbers = [float(array[cell]) for array in (scores, strength, *more.values())]
            rows.append((source, target, lag, symbol, *numbers))
        rows.sort(key=lambda row: (row[0] == row[1], -row[5]))
        width = max(1, *(len(name) for name in self.names))
        text = f"U{width}"
        columns = [("source", text), ("target", text), ("lag", int), ("edge", "U3")]
        columns += [(name, float) for name in ("score", "strength", *more)]
        return np.array(rows, dtype=columns)

    @property
    def values(self) -> dict[str, Float[np.ndarray, "vars vars lags"]]:
        """Numbers of the edges that files of graphs hold: those of `table`, if they are known."""
        numbers = {name: getattr(self.info, name) for name in (*TESTS, "on_variance")}
        known = {name: np.asarray(v, np.float64) for name, v in numbers.items() if v is not None}
        return (self.effects.columns if self.effects is not None else {}) | known

    @property
    def candidates(self) -> Shaped[np.ndarray, "candidates"]:
        """The ten strongest links between two variables that are no edges.

        A structured array as `table`: ``source, target, lag, p_value, q_value, score, strength``,
        the smallest p-value first, or else the largest score. p- and q-values are NaN where the
        method has none. `summary`, the page and the pictures show candidates if no edge joins two
        variables, and say how many of them to expect false.
        """
        return self._candidates().table

    def _candidates(self) -> Candidates:
        tests = self.info.p_value, self.info.q_value
        return candidates_of(self.graph, self.scores, self.strength, tests, self.names)

    def shown_candidates(self) -> Candidates | None:
        """What `summary`, pages and pictures show of candidates: nothing beside cross edges."""
        return None if has_cross_edge(self.graph) else self._candidates()

    def headline(self) -> str:
        """The result in one line."""
        n_edges = len(self.graph.edges())
        method = self.info.method.replace("_", " ")
        return (
            f"{n_edges or 'no'} edge{'s' * (n_edges != 1)} among {len(self.names)} variables, "
            f"lags up to {self.graph.max_lag}" + f" ({method})" * bool(method)
        )

    def summary(self, *, sort: str = "strength", self_edges: bool | None = None) -> str:
        """The edges between variables, those from a variable to itself, and all notes as text.

        Args:
            sort: What edges are sorted by: ``strength``, ``effect``, ``p-value``, ``lag``,
                ``source`` or ``target``.
            self_edges: Whether edges from a variable to itself are listed, below the others; by
                default if there are at most 20 edges in all.

        Raises:
            InputError: ``sort`` is not known.
        """
        lines = [self.headline().capitalize()]
        if len(self.table):
            lines += edge_lines(self.table, sort=sort, self_edges=self_edges)
        if (shown := self.shown_candidates()) is not None:
            lines += [shown.note, *shown.lines()]
        return "\n".join([*lines, *(f"- {note}" for note in self.info.notes)])

    def respond(
        self,
        change: Mapping[str, float],
        *,
        steps: int = 20,
        sustained: bool = False,
        n_windows: int = 100,
        level: float = 0.95,
    ) -> "Response":
        """How the series responds to a change: the path with it less the path without.

        The model goes on from windows of the series, once as they were and once with the change in
        their newest row. Both paths meet the same shocks: those by which the observed rows differ
        from their forecasts. The model is the trained forecaster, or of linear methods, and where
        the t-tests of a linear model chose the edges, a linear regression of each variable on the
        parents found. ``assumptions`` of the result says when this is causal.

        Args:
            change: By how much each variable is changed, in units of the data: ``{"rain": 1.0}``.
            steps: Steps to go on for.
            sustained: Whether the variables keep their change, and do not only have it at one step.
            n_windows: Windows to average over, spread evenly over the series.
            level: Share of the responses of windows, and of members of an ensemble or draws of
                linear coefficients, that lie between ``low`` and ``high``.

        Returns:
            ``.response [steps + 1, vars]`` from the step of the change on, ``.low``, ``.high``,
            ``.assumptions``, ``.table``, ``.summary()`` and ``.plot()``.

        Raises:
            InputError: A variable is not known, a number is not allowed, or the result was read
                from JSON or has no model.

        >>> import jaxcause as jc
        >>> x = np.random.default_rng(0).normal(size=(400, 2))
        >>> x[2:, 1] += 0.9 * x[:-2, 0]
        >>> found = jc.discover(x, 3, names=["rain", "river"], method="var", q=0.01)
        >>> found.respond({"rain": 1.0}, steps=3).response[:, 1].round(0).tolist()
        [0.0, 0.0, 1.0, 0.0]
        """
        from jaxcause.workflows._discover.respond import respond_to

        if self.dynamics is None:
            raise InputError(
                "respond needs the model and the series, which a result from JSON or of a method "
                "of your own lacks; call discover again"
            )
        return respond_to(
            self.dynamics,
            self.names,
            change,
            steps=steps,
            sustained=sustained,
            n_windows=n_windows,
            level=level,
        )

    def plot(
        self,
        kind: Literal["time", "summary", "scores", "curves", "responses", "training"] = "time",
        *,
        self_edges: bool | None = None,
        ax: "Axes | None" = None,
    ) -> "Axes":
        """Draw a picture; see `jaxcause.plot`, whose functions take more options.

        Args:
            kind: ``time`` (the graph unrolled in time), ``summary`` (one node per variable),
                ``scores`` (strengths as a heat map per lag), ``curves`` (the scores by which edges
                were chosen by lag, with their threshold if all edges lie above all other
                pairs), ``responses`` (forecast of each target along the range of its source), or
                ``training`` (errors along the steps). Graphs show signs by colour where effects
                are known.
            self_edges: Whether edges from a variable to itself are drawn. By default they are: in
                graphs of up to 12 variables, and in ``curves`` and ``responses`` after the others.
            ax: Where to draw; a new figure by default.

        Raises:
            InputError: The kind is not known, or there was no training, or no effect is known.
        """
        check_choice("kind", kind, PICTURES)
        from jaxcause import plot

        size, names = np.asarray(self.strength), self.names
        label, score_label = (
            said.split(":")[0].split(" given ")[0] for said in (self.info.strength, self.info.score)
        )
        if kind == "scores":
            return plot.score_heatmap(size, names=names, graph=self.graph, ax=ax, label=label)
        if kind == "curves":
            scores = np.asarray(self.scores)
            return plot.score_curves(
                scores,
                names=names,
                graph=self.graph,
                self_edges=self_edges is not False,
                ax=ax,
                label=score_label,
            )
        if kind == "training":
            if not self.info.losses:
                raise InputError("kind='training' needs a training, and this result has none")
            return plot.training_curve(
                self.info.losses,
                ax=ax,
                best_step=self.info.best_step,
                baseline=self.info.held_out_error_linear,
                baseline_name="linear model",
            )
        if kind == "responses":
            if self.effects is None or not len(self.effects.curves.edges):
                raise InputError("kind='responses' needs edges whose effects are known")
            curves, order = self.effects.curves, np.asarray(self.strength)
            ranked = np.argsort(-order[tuple(curves.edges.T)], kind="stable")
            if self_edges is False:
                ranked = ranked[curves.edges[ranked, 0] != curves.edges[ranked, 1]]
            shown = [part[ranked] for part in curves]
            return plot.response_curves(*shown, names=names, ax=ax)
        known = bool(np.isfinite(size[np.asarray(self.graph.adjacency)]).all())
        draw = plot.summary_graph if kind == "summary" else plot.time_series_graph
        shown = self.shown_candidates()
        return draw(
            self.graph,
            names=names,
            strength=size if known else None,
            candidates=None if shown is None else shown.links,
            effect=None if self.effects is None else self.effects.standardised,
            self_edges=self_edges,
            ax=ax,
        )

    def over_time(self, n_windows: int | None = None) -> "EdgesOverTime":
        """Strength and sign of each lagged edge by window of time, and a test that it changes.

        In each window the target of an edge is regressed on its parents in the graph. Where
        gradients chose the edges, the strength is that of the forecaster's gradients in the window,
        and the regression explains its errors: what it adds corrects the gradients. The test
        compares the slopes of all windows (`jaxcause.stats.slopes_by_part`) in what the forecaster,
        and one regression on bent functions and products of the parents, leave over the whole
        series, so that a nonlinear effect is not taken for one that changes. An effect whose slope
        is set by a variable that is not among the parents does change in that sense.

        Args:
            n_windows: Number of windows, of about equally many rows; by default 10, or fewer if the
                series is short.

        Raises:
            InputError: The result was read from JSON, no lagged edge was found, or there are too
                few rows for so many windows.
        """
        if self.series is None:
            raise InputError(
                "over_time needs the series, which JSON does not keep; call discover on it again "
                "(with forecaster= no training is needed)"
            )
        from jaxcause.workflows._discover.over_time import edges_over_time

        by_gradients = self.info.selection != "t-tests"
        return edges_over_time(
            self.series,
            self.graph,
            n_windows=n_windows,
            transform=self.info.transform or "standardise",
            forecaster=self.forecaster if by_gradients else None,
            domain=self.domain,
        )

    def to_networkx(self) -> "nx.DiGraph":
        """`jaxcause.io.to_networkx`: one node per variable, one edge per lag, with its numbers."""
        numbers = {"score": np.asarray(self.scores), "strength": np.asarray(self.strength)}
        return to_networkx(self.graph, names=self.names, values=numbers | self.values)

    def to_tigramite(self) -> dict[str, Any]:
        """`jaxcause.io.to_tigramite`, with signs.

        ``val_matrix`` holds the effects in standard deviations; where none is known, the strength
        of an edge, and 0 without one. ``p_matrix`` is there for methods with p-values.
        """
        adjacent = np.asarray(self.graph.adjacency)
        size = np.where(adjacent, np.asarray(self.strength, np.float64), 0.0)
        signed = np.full(size.shape, np.nan)
        if self.effects is not None:
            signed = self.effects.standardised
            back = signed[:, :, 0].T
            signed[:, :, 0] = np.where(np.isnan(signed[:, :, 0]), back, signed[:, :, 0])
        values = np.where(adjacent & ~np.isnan(signed), signed, size)
        p_value = None if self.info.p_value is None else np.asarray(self.info.p_value, np.float64)
        return to_tigramite(self.graph, names=self.names, val_matrix=values, p_matrix=p_value)

    def to_dataframe(self) -> "pd.DataFrame":
        """The `table` as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.table)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the model, in the schema ``jaxcause.discovery/1``.

        The keys of `jaxcause.io.graph_to_json` (so that every reader of graphs reads it), and
        ``schema``, ``scores`` and ``strength`` ``[source, target, lag]``, ``dtype``, ``info``,
        ``provenance``, ``candidates`` if no edge joins two variables and, if they are known,
        ``effects``, whose numbers stand with the edges.
        """
        scores, strength = np.asarray(self.scores), np.asarray(self.strength)
        graph = graph_to_json(
            self.graph, names=self.names, scores=scores, strength=strength, values=self.values
        )
        rest = self.info.to_dict()
        origin = rest.pop("provenance")
        shown = self.shown_candidates()
        return {
            "schema": SCHEMA,
            **plain(graph),
            "scores": exact(scores),
            "strength": exact(strength),
            "dtype": {"scores": scores.dtype.name, "strength": strength.dtype.name},
            "info": {name: value for name, value in plain(rest).items() if value is not None},
            "provenance": plain(origin or versions()),
            **({} if shown is None else {"candidates": plain(shown.as_dict())}),
            **({} if self.effects is None else {"effects": self.effects.to_dict()}),
        }

    def to_html(self) -> str:
        """The page of `jaxcause.report.discovery_page`."""
        return discovery_page(self.to_dict())

    @classmethod
    def from_json(cls, source: str | Path | Mapping[str, Any]) -> "Discovery":
        """The result that `to_json` wrote, without its forecaster and without `respond`.

        Graph, scores, strengths and effects are those written, to the last bit. ``info`` comes back
        as plain values: tuples and arrays as lists, NaN as None.

        Args:
            source: A file, JSON text, or the dictionary of `to_dict`.

        Raises:
            InputError: It cannot be read, or does not follow the schema.
        """
        document = read_document(source, SCHEMA)
        graph, names = graph_from_json(document)
        try:
            arrays = [
                as_array(document[name], document["dtype"][name]) for name in ("scores", "strength")
            ]
            info = DiscoveryInfo.from_dict(
                {**document["info"], "provenance": dict(document["provenance"])}
            )
            effects = None
            if "effects" in document and isinstance(graph, LaggedGraph):
                effects = Effects.from_dict(document, graph, names)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the document does not follow {SCHEMA}: {error!r}") from None
        if not isinstance(graph, LaggedGraph) or any(
            a.shape != graph.marks.shape[:3] or a.dtype.kind != "f" for a in arrays
        ):
            raise InputError(f"the document does not follow {SCHEMA}: scores do not fit the graph")
        return cls(graph, arrays[0], arrays[1], tuple(names), None, info, effects=effects)
