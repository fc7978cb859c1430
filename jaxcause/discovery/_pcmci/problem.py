"""The checked arguments of PCMCI and PCMCI+."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import InputError, check_at_least, check_probability, check_square
from jaxcause._typing import AnyArray
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.stats import partial_correlation_test


class PcmciProblem(NamedTuple):
    """What PCMCI searches.

    Args:
        test: Tests between the nodes ``lag * vars + var``.
        allowed: ``[source, target, lag]``: which links to consider; never a variable and itself at
            lag 0.
        alphas: Levels of significance to choose from in the first phase.
    """

    test: StudentTest
    allowed: Bool[np.ndarray, "vars vars lags"]
    alphas: Float[np.ndarray, "alphas"]


def pcmci_problem(
    corr: Float[AnyArray, "nodes nodes"],
    n_samples: int,
    n_vars: int,
    allowed: Bool[AnyArray, "vars vars lags"] | None,
    alphas: float | Sequence[float],
) -> PcmciProblem:
    """Check the arguments.

    Raises:
        InputError: A shape does not fit, a level is outside (0, 1), ``allowed`` is not symmetric
            at lag 0, or ``corr`` is no correlation matrix.
    """
    check_square("corr", corr)
    check_at_least("n_vars", n_vars, 1)
    check_at_least("n_samples", n_samples, 4)
    n_nodes = np.shape(corr)[-1]
    n_slices, remainder = divmod(n_nodes, n_vars)
    if remainder or n_slices % 2 == 0 or n_slices < 3:
        raise InputError(
            f"corr has {n_nodes} nodes, but must have (2 * max_lag + 1) * n_vars with "
            f"n_vars={n_vars}; see lagged_correlation"
        )
    levels = np.atleast_1d(np.asarray(alphas, np.float64))
    for level in levels:
        check_probability("pc_alpha", level)
    shape = (n_vars, n_vars, n_slices // 2 + 1)
    possible = np.ones(shape, bool) if allowed is None else np.array(allowed, bool)
    if possible.shape != shape:
        raise InputError(f"allowed has shape {possible.shape}, but must be {shape}")
    now = possible[:, :, 0]
    if (now != now.T).any():
        raise InputError("allowed at lag 0 must be symmetric: allow a pair both ways or not at all")
    now[np.diag_indices(n_vars)] = False
    checked = partial_correlation_test(np.asarray(corr, np.float64), n_samples)
    return PcmciProblem(StudentTest(np.asarray(checked.corr), n_samples, n_vars), possible, levels)
