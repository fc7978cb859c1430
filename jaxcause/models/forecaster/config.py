"""Sizes and options of a forecaster."""

import dataclasses
from typing import Any, Literal

from jaxcause._checks import InputError, check_at_least, check_choice

ATTENTIONS = ("positional", "content")
HEADS = ("mean", "gaussian")
DTYPES = ("float32", "bfloat16")

PRESETS: dict[str, dict[str, Any]] = {
    "small": {"width": 32, "n_heads": 4, "depth": 1},
    "base": {"width": 64, "n_heads": 8, "depth": 2},
    "large": {"width": 128, "n_heads": 16, "depth": 3},
    "content": {"attention": "content", "width": 48, "n_heads": 6, "depth": 2, "mlp_ratio": 2},
}
"""Documented sizes by name: ``ForecasterConfig(n, lags, **PRESETS["base"])``."""


@dataclasses.dataclass(frozen=True)
class ForecasterConfig:
    """Sizes and options of a forecaster.

    Args:
        n_vars: Number of variables.
        max_lag: Number of past steps that the forecaster sees.
        attention: ``"positional"``, where the attention weight of a lagged variable depends on
            target, source and lag only (`PositionalForecaster`), or ``"content"``, where it also
            depends on the values (`ContentForecaster`).
        width: Width of a token over all heads; a multiple of ``n_heads``.
        depth: Number of layers after (positional) or with (content) attention.
        n_heads: Number of attention heads.
        mlp_ratio: Hidden width of a perceptron, as a multiple of ``width``.
        skip: Whether a linear autoregression is added to the prediction.
        head: ``"mean"``, or ``"gaussian"`` for mean and variance of the next row.
        n_domains: Number of regimes whose index is an input.
        missing: Whether inputs may be missing; a learned token then replaces them.
        dtype: ``"float32"``, or ``"bfloat16"`` for the matrix products only.

    Raises:
        InputError: A size is not positive, ``width`` is not a multiple of ``n_heads``, or an option
            is unknown.
    """

    n_vars: int
    max_lag: int
    attention: Literal["positional", "content"] = "positional"
    width: int = 64
    depth: int = 2
    n_heads: int = 8
    mlp_ratio: int = 1
    skip: bool = False
    head: Literal["mean", "gaussian"] = "mean"
    n_domains: int = 1
    missing: bool = False
    dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        """Check sizes and options."""
        for name in ("n_vars", "max_lag", "width", "depth", "n_heads", "mlp_ratio", "n_domains"):
            check_at_least(name, getattr(self, name), 1)
        if self.width % self.n_heads:
            raise InputError(f"width={self.width} must be a multiple of n_heads={self.n_heads}")
        check_choice("attention", self.attention, ATTENTIONS)
        check_choice("head", self.head, HEADS)
        check_choice("dtype", self.dtype, DTYPES)

    @property
    def flops(self) -> float:
        """Approximate floating-point operations of a forward pass per predicted row."""
        inputs, width = self.n_vars * self.max_lag, self.width
        if self.attention == "content":
            per_token = (8 + 4 * self.mlp_ratio) * width**2 + 4 * inputs * width
            return float(inputs * self.depth * per_token)
        return float(self.n_vars * (width**2 + 2 * inputs * width + self._readout_flops))

    @property
    def flops_per_change(self) -> float:
        """The same of one target's forecast with one input changed, next to a forward pass."""
        if self.attention == "content":
            return self.flops
        return float(self.width**2 + self._readout_flops)

    @property
    def _readout_flops(self) -> int:
        hidden = self.mlp_ratio * self.width
        return 4 * self.width * hidden + 2 * (self.depth - 1) * hidden**2
