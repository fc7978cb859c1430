"""Moments of each block, of what a regression on all windows leaves unexplained."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause.series._regimes.inputs import Inputs, Windows, features

RIDGE = 1e-3
"""Penalty per window of the regression on all windows."""
PRIOR_VARIANCE = 0.1
"""Variance, before data, of the difference of a coefficient from that of all windows."""


class Moments(NamedTuple):
    """Moments of centred inputs x and residuals r, in units of the noise; those of parts add up.

    Args:
        gram: Sum of x xᵀ.
        cross: Sum of x r.
    """

    gram: Float[np.ndarray, "*parts vars inputs inputs"]
    cross: Float[np.ndarray, "*parts vars inputs"]

    def at(self, part: object) -> "Moments":
        """The moments of some parts."""
        return self._replace(gram=self.gram[part], cross=self.cross[part])

    def sum_by(self, label: np.ndarray, n_labels: int) -> "Moments":
        """Sums over the parts of each label."""
        one_hot = (label == np.arange(n_labels)[:, None]).astype(float)
        gram, cross = (np.tensordot(one_hot, a, axes=1) for a in (self.gram, self.cross))
        return self._replace(gram=gram, cross=cross)

    def penalised(self) -> np.ndarray:
        """Gram matrices with the prior precision on the diagonal."""
        return self.gram + np.eye(self.gram.shape[-1]) / PRIOR_VARIANCE

    def coefficients(self) -> Float[np.ndarray, "*parts vars inputs"]:
        """Posterior means of the differences from the coefficients of all windows."""
        return np.linalg.solve(self.penalised(), self.cross[..., None])[..., 0]

    def evidence(self) -> Float[np.ndarray, "*parts"]:
        r"""Log marginal likelihood of coefficients of its own, as against those of all windows.

        :math:`\tfrac12 \sum_i \big(c_i^\top (G_i + \lambda I)^{-1} c_i
        - \log\det(I + G_i/\lambda)\big)` for normal noise and a normal prior.
        """
        half = np.linalg.cholesky(self.penalised())
        fit = (self.cross * self.coefficients()).sum(axis=-1)
        log_volume = np.log(np.diagonal(half, axis1=-2, axis2=-1)).sum(axis=-1)
        n_inputs = self.gram.shape[-1]
        return (0.5 * fit - log_volume - 0.5 * n_inputs * np.log(PRIOR_VARIANCE)).sum(axis=-1)

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

    def moments(self, parts: list[slice]) -> Moments:
        """The moments of some parts, each about its own mean, in units of the noise."""
        found = []
        for part in parts:
            x, r = self.of(part)
            x, r = x - x.mean(axis=1, keepdims=True), r - r.mean(axis=1, keepdims=True)
            found.append((x.transpose(0, 2, 1) @ x, np.einsum("vwi,vw->vi", x, r)))
        gram, cross = (np.stack(a) for a in zip(*found, strict=True))
        variance = self.noise**2
        return Moments(gram / variance[:, None, None], cross / variance[:, None])


def bends(
    lagged: Float[np.ndarray, "windows lagged"], inputs: Inputs
) -> Float[np.ndarray, "vars windows terms"]:
    """Each input, its magnitude, and its parts above 1 and below −1: bent lines in general."""
    x = lagged[:, inputs.column % lagged.shape[1]] * inputs.used
    made = np.stack([x, np.abs(x), np.maximum(x - 1, 0), np.maximum(-x - 1, 0)], axis=-1)
    return made.reshape(*x.shape[:2], -1).transpose(1, 0, 2)


def residuals_of(windows: Windows, inputs: Inputs, parts: list[slice]) -> Residuals:
    """One regression of each target on bent functions of its inputs, over all windows.

    Values are taken about the mean of their part: a level that drifts is no mechanism.
    """
    n_vars = len(inputs.column)
    gram, cross = 0.0, 0.0
    for part in parts:
        x, y = bends(windows.lagged(part), inputs), windows.targets(part).T
        x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
        gram, cross = gram + x.transpose(0, 2, 1) @ x, cross + np.einsum("vwt,vw->vt", x, y)
    penalty = RIDGE * len(windows.newest) * np.eye(np.shape(cross)[-1])
    slopes = np.linalg.solve(gram + penalty, np.asarray(cross)[..., None])[..., 0]
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
