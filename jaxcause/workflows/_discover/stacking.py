"""What the Transformer adds to a linear forecast, and the two of them as one forecaster."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause.models.forecaster import Params
from jaxcause.stats import VarFit

SMALL, LARGE = 0.04, 0.1
"""Shares of the linear model's held-out error; the Transformer must remove the one or the other."""
SURE, LIKELY = 4.0, 3.0
"""Standard errors by which a small and a large share must be confirmed. That of a single target,
of which there are many, must be both large and sure."""
EXPLAINED, VERY_SURE = 0.09, 6.5
"""Where noise is most of the error, what the Transformer removes is small beside it. It counts,
too, as such a share of the variance that the linear model explains, if it is very sure."""
LEAST_EXPLAINED = 0.02
"""Share of the variance that the linear model is taken to explain at least."""


class Gain(NamedTuple):
    r"""What the Transformer adds to the linear forecast, on held-out windows.

    The stacked forecast of a target is :math:`(1 - w) f_\text{linear} + w f_\text{Transformer}`
    with the weight :math:`0 \le w \le 1` of the smallest error (Wolpert 1992). It is fitted on
    one half of the held-out windows and judged on the other, and the other way round.

    Args:
        weight: w, one for all targets.
        share: Share of the linear model's error that stacking removes.
        z: Standard errors by which the linear errors agree with the difference of the forecasts:
            an encompassing test (Harvey, Leybourne & Newbold 1998).
        explained: What stacking removes, as a share of the variance that the linear model
            explains; columns have variance 1.
        target_share: ``share`` of each target, with weights of its own.
        target_z: ``z`` of each target.
    """

    weight: float
    share: float
    z: float
    explained: float
    target_share: Float[np.ndarray, "vars"]
    target_z: Float[np.ndarray, "vars"]

    @property
    def counts(self) -> bool:
        """Whether the Transformer forecasts the series better than the linear model alone."""
        small, large = self.share >= SMALL, self.share >= LARGE
        explained = self.explained >= EXPLAINED and self.z >= VERY_SURE
        return (small and self.z >= SURE) or (large and self.z >= LIKELY) or explained

    @property
    def targets(self) -> Bool[np.ndarray, "vars"]:
        """The targets that the Transformer forecasts better; all of them if the gain counts."""
        alone = (self.target_share >= LARGE) & (self.target_z >= SURE)
        return alone | self.counts

    def record(self, names: tuple[str, ...]) -> dict[str, Any]:
        """What `DiscoveryInfo` keeps."""
        better = [names[k] for k in np.flatnonzero(self.targets)]
        said = {name: getattr(self, name) for name in ("weight", "share", "explained", "z")}
        return said | {"targets": better}


def gain_over_linear(
    linear: Float[np.ndarray, "windows vars"], transformer: Float[np.ndarray, "windows vars"]
) -> Gain:
    """Judge the residuals of both models on held-out windows; NaN where a value is missing.

    >>> rng = np.random.default_rng(0)
    >>> noise, missed = rng.normal(size=(2, 400, 3))
    >>> gain_over_linear(noise + missed, noise).counts
    True
    >>> gain_over_linear(noise, noise + missed).counts
    False
    """
    n_known = max(1, np.isfinite(linear).sum())
    linear, transformer = np.nan_to_num(linear), np.nan_to_num(transformer)
    apart = linear - transformer
    half = len(linear) // 2
    parts = (slice(None, half), slice(half, None))
    common, own = np.sum([_left(linear, apart, *order) for order in (parts, parts[::-1])], axis=0)
    agreement, error = linear * apart, float((linear**2).sum() / n_known)
    share = float(1 - _quotient(common.sum(), (linear**2).sum()))
    return Gain(
        weight=float(_weight(linear, apart)),
        share=share,
        explained=share * error / max(1 - error, LEAST_EXPLAINED),
        z=float(_standard_errors(agreement.mean(axis=1))),
        target_share=1 - _quotient(own, (linear**2).sum(axis=0)),
        target_z=_standard_errors(agreement),
    )


def stacked(params: Params, linear: VarFit, weight: float) -> Params:
    """Parameters of ``weight`` times the given forecaster, plus the rest of the linear model.

    The linear model becomes the skip, and the read-outs of the Transformer are scaled.
    """
    scaled = {
        name: weight * np.asarray(params[name], np.float32)
        for name in ("readout", "linear_readout", "bias")
        if name in params
    }
    rest = np.float32(1 - weight)
    scaled["bias"] = scaled["bias"] + rest * np.asarray(linear.intercept, np.float32)
    lagged = np.asarray(linear.coefficients[:, :, 1:], np.float32)
    return {**params, **scaled, "skip": rest * lagged.transpose(2, 0, 1)}


def without_linear_part(params: Params) -> Params:
    """The parameters with a skip of zero."""
    return {**params, "skip": np.zeros_like(params["skip"])}


def _left(
    linear: np.ndarray, apart: np.ndarray, fitted: slice, judged: slice
) -> Float[np.ndarray, "2 vars"]:
    """Squared errors of stacking, with one weight for all targets and with a weight for each."""
    weights = (_weight(linear[fitted], apart[fitted], axis=axis) for axis in (None, 0))
    return np.stack([((linear[judged] - w * apart[judged]) ** 2).sum(axis=0) for w in weights])


def _weight(linear: np.ndarray, apart: np.ndarray, axis: int | None = None) -> Any:
    return np.clip(_quotient((linear * apart).sum(axis=axis), (apart**2).sum(axis=axis)), 0, 1)


def _standard_errors(values: np.ndarray) -> np.ndarray:
    """Mean over its standard error."""
    return _quotient(values.mean(axis=0), values.std(axis=0) / np.sqrt(max(len(values), 1)))


def _quotient(above: Any, below: Any) -> np.ndarray:
    """The quotient; 0 where the divisor is 0."""
    above, below = np.asarray(above), np.asarray(below)
    return np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)
