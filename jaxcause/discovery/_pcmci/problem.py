"""The checked arguments of PCMCI and PCMCI+."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from jaxcause._checks import (
    InputError,
    check_at_least,
    check_probability,
    check_square,
    checked_flags,
)
from jaxcause._typing import AnyArray
from jaxcause.discovery._pcmci.by_target import TestsByTarget
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.discovery._phase_record import PhaseRecord
from jaxcause.sharding import check_row_mesh
from jaxcause.stats import HoledSamples, partial_correlation_test


class LinkOptions(TypedDict, total=False):
    """Options that `pcmci` and `pcmci_plus` share; `pcmci_problem` describes them."""

    allowed: Bool[AnyArray, "vars vars lags"] | None
    required: Bool[AnyArray, "vars vars lags"] | None
    max_cond_size: int | None
    max_target_parents: int | None
    max_source_parents: int | None
    mesh: Mesh | None
    checkpoint: str | Path | None


class PcmciProblem(NamedTuple):
    """What PCMCI searches.

    Args:
        test: Tests between the nodes ``lag * vars + var``.
        allowed: ``[source, target, lag]``: which links to consider, at lag 0 symmetric; never a
            variable and itself at lag 0.
        required: ``[source, target, lag]``: links that are there, whatever the tests say.
        now: ``[source, target]``: which directions an edge at lag 0 may have.
        alphas: Levels of significance to choose from in the first phase.
        max_cond_size: Largest conditioning set of the first phase.
        max_target_parents: How many parents of the target to condition on.
        max_source_parents: How many parents of the source to condition on.
        mesh: Devices that share the tests.
        checkpoint: File of the state of the search.
    """

    test: StudentTest | TestsByTarget
    allowed: Bool[np.ndarray, "vars vars lags"]
    required: Bool[np.ndarray, "vars vars lags"]
    now: Bool[np.ndarray, "vars vars"]
    alphas: Float[np.ndarray, "alphas"]
    max_cond_size: int | None
    max_target_parents: int | None
    max_source_parents: int | None
    mesh: Mesh | None = None
    checkpoint: Path | None = None

    @property
    def kept(self) -> Bool[np.ndarray, "vars vars lags"]:
        """The links that no test removes: required ones, at lag 0 in both directions."""
        kept = self.required.copy()
        kept[:, :, 0] |= kept[:, :, 0].T
        return kept

    def record(self, *search: Any) -> PhaseRecord:
        """The file of the search.

        Args:
            search: Its name, and its options beyond this problem.

        Raises:
            InputError: The file is damaged, or belongs to another search.
        """
        tests = self.test.tests if isinstance(self.test, TestsByTarget) else (self.test,)
        data = [test.data for test in tests], self.test.n_samples
        asked = self._replace(test=data, mesh=None, checkpoint=None)  # pyright: ignore[reportArgumentType]
        return PhaseRecord(self.checkpoint, (search, asked), self.mesh)


def pcmci_problem(
    corr: Float[AnyArray, "*#targets nodes nodes"] | HoledSamples,
    n_samples: int,
    n_vars: int,
    alphas: float | Sequence[float],
    *,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
    required: Bool[AnyArray, "vars vars lags"] | None = None,
    max_cond_size: int | None = None,
    max_target_parents: int | None = None,
    max_source_parents: int | None = None,
    mesh: Mesh | None = None,
    checkpoint: str | Path | None = None,
) -> PcmciProblem:
    """Check the arguments.

    Args:
        corr: Correlations of the lagged variables, or the samples.
        n_samples: Number of windows behind them.
        n_vars: Number of variables.
        alphas: Levels of significance to choose from in the first phase.
        allowed: ``[source, target, lag]``: which links to consider, by default all. A pair at lag 0
            that is allowed in one direction has that direction if it is linked; no rule contradicts
            it.
        required: ``[source, target, lag]``: links that are in the graph and conditioned on,
            whatever the tests say; they are tested for their p-values only.
        max_cond_size: Largest conditioning set of the first phase, and largest S of `pcmci_plus`.
        max_target_parents: Condition on only that many lagged parents of the target, the strongest.
        max_source_parents: Condition on only that many lagged parents of the source, the strongest.
        mesh: Devices that share the tests (`jaxcause.sharding.row_mesh`). The result is that of one
            device.
        checkpoint: File to which the search is written after each size of conditioning sets, and
            after each part of the tests that follow; from it the same call goes on after its
            process was killed, to the same result bit for bit.

    Raises:
        InputError: A shape does not fit, a level is outside (0, 1), a required link is not allowed
            or part of a cycle at lag 0, ``corr`` is no correlation matrix, or ``mesh`` has several
            axes.
    """
    if mesh is not None:
        check_row_mesh(mesh)
    check_at_least("n_vars", n_vars, 1)
    check_at_least("n_samples", n_samples, 4)
    test = _test_of(corr, n_samples, n_vars, mesh)
    n_nodes = test.n_nodes
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
    possible = _links("allowed", np.ones(shape, bool) if allowed is None else allowed, shape)
    must = _links("required", np.zeros(shape, bool) if required is None else required, shape)
    possible[:, :, 0][np.diag_indices(n_vars)] = False
    _check_required(must, possible)
    # A required link at lag 0 excludes the other direction.
    now = possible[:, :, 0] & ~must[:, :, 0].T
    possible[:, :, 0] = now | now.T
    return PcmciProblem(
        test,
        possible,
        must,
        now,
        levels,
        max_cond_size,
        max_target_parents,
        max_source_parents,
        mesh,
        None if checkpoint is None else Path(checkpoint),
    )


def _test_of(
    corr: Float[AnyArray, "*#targets nodes nodes"] | HoledSamples,
    n_samples: int,
    n_vars: int,
    mesh: Mesh | None,
) -> StudentTest | TestsByTarget:
    """The test of correlations, of those of each target, or of samples with holes."""
    if isinstance(corr, HoledSamples):
        if corr.n_samples != n_samples:
            raise InputError(
                f"n_samples={n_samples}, but the samples with holes are {corr.n_samples}; pass "
                "their number"
            )
        return StudentTest(corr, n_samples, n_vars, mesh)
    check_square("corr", corr)
    checked = partial_correlation_test(np.asarray(corr, np.float64), n_samples)
    matrices = np.asarray(checked.corr)
    if matrices.ndim == 2:
        return StudentTest(matrices, n_samples, n_vars, mesh)
    if matrices.shape[:-2] != (n_vars,):
        raise InputError(
            f"corr has shape {matrices.shape}, but must be one matrix, or one for each of the "
            f"{n_vars} targets"
        )
    return TestsByTarget(tuple(StudentTest(one, n_samples, n_vars, mesh) for one in matrices))


def _links(name: str, given: AnyArray, shape: tuple[int, int, int]) -> np.ndarray:
    links = checked_flags(name, given).copy()
    if links.shape != shape:
        raise InputError(f"{name} has shape {links.shape}, but must be {shape}")
    return links


def _check_required(required: np.ndarray, allowed: np.ndarray) -> None:
    excluded = np.argwhere(required & ~allowed)
    if len(excluded):
        i, j, lag = excluded[0]
        raise InputError(f"required link {i} → {j} at lag {lag} is not allowed; drop one of both")
    alive = np.ones(len(required), bool)
    while alive.any():
        first = alive & ~required[alive, :, 0].any(axis=0)
        if not first.any():
            raise InputError("required links form a cycle at lag 0; drop one of them")
        alive &= ~first
