"""Attribution scores as a conditional independence test of the shared core."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import InputError
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, NodeIndex
from jaxcause.discovery import pc
from jaxcause.graph import BackgroundKnowledge, LaggedGraph


@pytree_dataclass()
class ScoreTest:
    """Test over a series unrolled into nodes ``lag * vars + var``: see `score_test`."""

    p_values: Float[AnyArray, "vars vars lags"]

    @property
    def n_nodes(self) -> int:
        """Number of lagged variables."""
        return self.p_values.shape[0] * self.p_values.shape[2]

    def marginal_p_values(self) -> Float[np.ndarray, "nodes nodes"]:
        """The p-values of all pairs at once: the search then compiles nothing."""
        n_vars = self.p_values.shape[0]
        lag, var = np.divmod(np.arange(self.n_nodes), n_vars)
        earlier = lag[:, None] >= lag
        source, target = np.where(earlier, var[:, None], var), np.where(earlier, var, var[:, None])
        return np.asarray(self.p_values)[source, target, np.abs(lag[:, None] - lag)]

    def __call__(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        """Look up the p-value of the earlier node as a cause of the later one."""
        n_vars = self.p_values.shape[0]
        early, late = jnp.maximum(x, y), jnp.minimum(x, y)
        lag = early // n_vars - late // n_vars
        p_value = jnp.asarray(self.p_values)[early % n_vars, late % n_vars, lag]
        return CIResult(statistic=-jnp.log(p_value), p_value=p_value)


def score_test(p_values: Float[AnyArray, "vars vars lags"]) -> ScoreTest:
    """Conditional independence test whose answers were computed beforehand.

    "X_j(t-ℓ) is no cause of X_i(t) given all the rest of the past" is a conditional independence,
    so selecting edges by their scores is level 0 of the core under temporal knowledge. The
    conditioning set of a call is ignored.

    Args:
        p_values: Of every ``[source, target, lag]``; lag 0 is not used.

    Raises:
        InputError: The array is not ``[vars, vars, lags]`` with at least lag 1.

    >>> import numpy as np
    >>> p = np.ones((2, 2, 2)); p[0, 1, 1] = 0.001
    >>> lagged_edges(score_test(p), alpha=0.05).edges(["rain", "river"])
    [('rain', 1, '-->', 'river')]
    """
    shape = jnp.shape(p_values)
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] < 2:
        raise InputError(f"p_values has shape {shape}, but must be [vars, vars, max_lag+1]")
    return ScoreTest(p_values)


def lagged_edges(test: ScoreTest, *, alpha: float) -> LaggedGraph:
    """The graph of all lagged edges with p ≤ alpha: level 0 of the core with temporal tiers.

    Time orients every edge, so this costs what a comparison costs: it compiles nothing.

    Args:
        test: The scores as a test.
        alpha: Threshold on their p-values.
    """
    n_vars, _, n_lags = test.p_values.shape
    knowledge = BackgroundKnowledge.temporal(n_vars, n_lags - 1)
    found = pc(test, alpha=alpha, max_cond_size=0, knowledge=knowledge)
    return LaggedGraph.from_unrolled(found.graph, n_vars=n_vars)
