"""Lorenz-96 as it was sampled: our gradients beside the exact derivative of the flow.

The reference graph is that of the differential equation. A row depends on the one before through
the flow over the time in between, and with that on neighbours of neighbours, too.
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxcause as jc
from benchmarks.lagged import settings
from jaxcause.simulate import lorenz96_flow

STEP = 0.05
"""Time between the rows."""
FORCINGS = (10, 40)


def run(data: Path | None) -> list[dict]:
    """For each forcing and each offset of the source from the target, around the ring."""
    rows = []
    for forcing in FORCINGS:
        case = settings.load(f"lorenz96 F={forcing}", "reduced", 0, data)
        series = case.series
        found = jc.discover(series, case.max_lag, key=jax.random.key(0), progress=False)
        exact, misfit = _exact(series, forcing)
        strength = np.asarray(found.strength)[:, :, 1] * series.std(axis=0)
        strength /= series.std(axis=0)[:, None]
        edges = np.asarray(found.graph.adjacency)[:, :, 1]
        n_vars = len(edges)
        for offset in range(-(n_vars // 2), n_vars - n_vars // 2):
            target = np.arange(n_vars)
            source = (target + offset) % n_vars
            rows.append(
                {
                    "table": f"F={forcing}: from X(i+offset), one row before, to X(i)",
                    "offset": offset,
                    "exact derivative": float(exact[source, target].mean()),
                    "gradient": float(strength[source, target].mean()),
                    "edges at lag 1, of 10": int(edges[source, target].sum()),
                    "in the reference": bool(case.truth[source, target].all()) or offset == 0,
                }
            )
        off = ~np.eye(n_vars, dtype=bool)
        rows.append(
            {
                "table": "all pairs at lag 1, without a variable's own past",
                "F": forcing,
                "correlation of exact derivative and gradient": float(
                    np.corrcoef(exact[off], strength[off])[0, 1]
                ),
                "one row forecast by the equation, error / spread": misfit,
            }
        )
    return rows


def _exact(series: np.ndarray, forcing: float) -> tuple[np.ndarray, float]:
    """Root mean square of ``d X_target(t) / d X_source(t-1)``, and how well the flow fits."""
    with jax.enable_x64(True):
        points = jnp.asarray(series[:-1], jnp.float64)
        flow = partial(lorenz96_flow, forcing=float(forcing), dt=STEP)
        slope = jax.jit(jax.vmap(jax.jacfwd(flow)))(points)
        ahead = jax.jit(jax.vmap(flow))(points)
        size = np.asarray(jnp.sqrt((slope**2).mean(axis=0))).T
        misfit = float(jnp.sqrt(((ahead - series[1:]) ** 2).mean()) / series.std())
    return size, misfit
