"""Moments of each block, of what a regression on all windows leaves unexplained."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause.series._bent_lines import bent_lines
from jaxcause.series._regimes.inputs import Inputs, Windows, features

RIDGE = 1e-3
"""Penalty per window of the regression on all windows."""
PRIOR_VARIANCE = 0.1
"""Variance, before data, of the difference of a coefficient from that of all windows."""
PRIOR_SHARE = 0.1
"""Probability, before data, that a target has coefficients of its own in a stretch."""


class RegimeMoments(NamedTuple):
    """Moments of centred inputs x and residuals r, in units of the noise; those of parts add up.

    Args:
        gram: Sum of x xᵀ.
        cross: Sum of x r.
    """

    gram: Float[np.ndarray, "*parts vars inputs inputs"]
    cross: Float[np.ndarray, "*parts vars inputs"]

    def at(self, part: int | slice) -> "RegimeMoments":
        """The moments of some parts."""
        return self._replace(gram=self.gram[part], cross=self.cross[part])

    def __add__(self, other: object) -> "RegimeMoments":
        """The moments of both."""
        assert isinstance(other, RegimeMoments)
        return RegimeMoments(self.gram + other.gram, self.cross + other.cross)

    def sum_by(self, label: np.ndarray, n_labels: int) -> "RegimeMoments":
        """Sums over the parts of each label."""
        one_hot = (label == np.arange(n_labels)[:, None]).astype(float)
        gram, cross = (np.tensordot(one_hot, a, axes=1) for a in (self.gram, self.cross))
        return self._replace(gram=gram, cross=cross)

    def evidence(self) -> Float[np.ndarray, "*parts"]:
        r"""Log marginal likelihood of coefficients of their own, as against those of all windows.

        :math:`\sum_i \log(1 - \pi + \pi e^{E_i})`, where a target has coefficients of its own with
        the probability :math:`\pi` before data (see `_evidence_by_target`).
        """
        return np.asarray(self._summed(self._evidence_by_target(self._means())).sum(axis=-1))

    def fit(self) -> Float[np.ndarray, "*parts"]:
        """How much coefficients of their own raise the penalised log likelihood, at any price."""
        return np.asarray(0.5 * (self.cross * self._means()).sum(axis=(-2, -1)))

    def coefficients(self) -> Float[np.ndarray, "*parts vars inputs"]:
        """Posterior means of the differences from the coefficients of all windows."""
        means = self._means()
        evidence = self._evidence_by_target(means)
        own = np.exp(np.log(PRIOR_SHARE) + evidence - self._summed(evidence))
        return own[..., None] * means

    def _means(self) -> Float[np.ndarray, "*parts vars inputs"]:
        return np.linalg.solve(self._penalised(), self.cross[..., None])[..., 0]

    def _summed(self, evidence: np.ndarray) -> np.ndarray:
        return np.logaddexp(np.log1p(-PRIOR_SHARE), np.log(PRIOR_SHARE) + evidence)

    def _evidence_by_target(self, means: np.ndarray) -> Float[np.ndarray, "*parts vars"]:
        r""":math:`E = \tfrac12 c^\top (G + \lambda I)^{-1} c - \tfrac12 \log\det(I + G/\lambda)`.

        This is for normal noise and coefficients that are normal before data.
        """
        half = np.linalg.cholesky(self._penalised())
        log_volume = np.log(np.diagonal(half, axis1=-2, axis2=-1)).sum(axis=-1)
        log_volume += 0.5 * self.gram.shape[-1] * np.log(PRIOR_VARIANCE)
        return 0.5 * (self.cross * means).sum(axis=-1) - log_volume

    def _penalised(self) -> np.ndarray:
        return self.gram + np.eye(self.gram.shape[-1]) / PRIOR_VARIANCE

    def gain(
        self, coefficients: Float[np.ndarray, "regimes vars inputs"]
    ) -> Float[np.ndarray, "parts regimes vars"]:
        """How much the log likelihood of each part rises by the coefficients of each regime."""
        fit = np.einsum("pvi,rvi->prv", self.cross, coefficients)
        moved = np.einsum("pvij,rvj->prvi", self.gram, coefficients)
        return fit - 0.5 * np.einsum("prvi,rvi->prv", moved, coefficients)


class Residuals(NamedTuple):
    """What a regression on all windows leaves, by functions of each input.

    Args:
        windows: The windows.
        inputs: The inputs of each target.
        slopes: Coefficients of the functions of each input (see `bends`).
        noise: Standard deviation of each target within blocks, given inputs of their own.
    """

    windows: Windows
    inputs: Inputs
    slopes: Float[np.ndarray, "vars terms"]
    noise: Float[np.ndarray, "vars"]

    def of(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """Inputs ``[vars, windows, inputs]`` and residuals ``[vars, windows]``, not centred."""
        lagged, y = self.windows.lagged(part), self.windows.targets(part)
        x = (features(lagged)[:, self.inputs.column] * self.inputs.used).transpose(1, 0, 2)
        return x, y.T - np.einsum("vwt,vt->vw", bends(lagged, self.inputs), self.slopes)

    def moments(self, parts: list[slice]) -> tuple[RegimeMoments, float]:
        """The moments of some parts, each about its own mean, and the sum of all squares.

        They are in units of the noise.
        """
        gram, cross, total = [], [], 0.0
        for part in parts:
            x, r = self.of(part)
            x, r = x - x.mean(axis=1, keepdims=True), r - r.mean(axis=1, keepdims=True)
            x, r = x / self.noise[:, None, None], r / self.noise[:, None]
            gram.append(x.transpose(0, 2, 1) @ x)
            cross.append(np.einsum("vwi,vw->vi", x, r))
            total += float((r**2).sum())
        return RegimeMoments(np.stack(gram), np.stack(cross)), total


def bends(
    lagged: Float[np.ndarray, "windows lagged"], inputs: Inputs
) -> Float[np.ndarray, "vars windows terms"]:
    """The terms of `bent_lines` of the inputs of every target."""
    return bent_lines(lagged[:, inputs.column % lagged.shape[1]] * inputs.used).transpose(1, 0, 2)


def residuals_of(windows: Windows, inputs: Inputs, parts: list[slice]) -> Residuals:
    """One regression of each target on bent functions of its inputs, over all windows.

    Values are taken about the mean of their part: a level that drifts is no mechanism.
    """
    n_vars = len(inputs.column)
    n_terms = bends(windows.lagged(parts[0]), inputs).shape[-1]
    gram, cross = np.zeros((n_vars, n_terms, n_terms)), np.zeros((n_vars, n_terms))
    for part in parts:
        x, y = bends(windows.lagged(part), inputs), windows.targets(part).T
        x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
        gram, cross = gram + x.transpose(0, 2, 1) @ x, cross + np.einsum("vwt,vw->vt", x, y)
    penalty = RIDGE * len(windows.newest) * np.eye(cross.shape[-1])
    slopes = np.linalg.solve(gram + penalty, cross[..., None])[..., 0]
    made = Residuals(windows, inputs, slopes, np.ones(n_vars))
    return made._replace(noise=_noise(made, parts))


def _noise(residuals: Residuals, parts: list[slice]) -> Float[np.ndarray, "vars"]:
    """Deviation of the residuals from regressions of each part."""
    n_inputs = residuals.inputs.used.sum(axis=1)
    squares, degrees = np.zeros(len(n_inputs)), np.zeros(len(n_inputs))
    for part in parts:
        x, r = residuals.of(part)
        x, r = x - x.mean(axis=1, keepdims=True), r - r.mean(axis=1, keepdims=True)
        gram = x.transpose(0, 2, 1) @ x + 1e-6 * r.shape[1] * np.eye(x.shape[2])
        cross = np.einsum("vwi,vw->vi", x, r)
        slope = np.linalg.solve(gram, cross[..., None])[..., 0]
        squares += (r**2).sum(axis=1) - (slope * cross).sum(axis=1)
        degrees += np.maximum(r.shape[1] - 1 - n_inputs, 1)
    return np.sqrt(np.maximum(squares / degrees, 1e-8))
