"""The settings of `explain`, checked against the model."""

import dataclasses
from numbers import Integral
from typing import Any, Literal

from jaxcause._checks import InputError, check_at_least, check_choice
from jaxcause.workflows._explain.text_model import Intervention, TextModel

NOT_REPORTED = ("every", "time_limit")
"""Settings that say how long to search, and not what was found."""


@dataclasses.dataclass(frozen=True)
class ExplainSettings:
    """How the graphs are learned, and how explanations are searched for.

    Args:
        layer: The layer whose attention is read, counted from 0.
        heads: Whether explanations come from the graphs of all heads or from the graph of the mean.
        units: Whether nodes are tokens or whole words.
        alpha: Significance level of the independence tests.
        n_samples: Number of samples behind the correlations.
        one_sided: Whether negative partial correlations count as independent.
        shrinkage: Intensity of the shrinkage of correlations.
        order: ``causal`` for a model whose tokens see earlier tokens only.
        max_cond_size: Largest conditioning set of the search.
        intervention: How tokens are removed.
        max_size: Largest set of tokens that the graph proposes.
        max_range: Largest distance of these tokens from the output in the graph.
        n_larger: Model queries kept for larger sets.
        every: Whether all minimal explanations are searched for.
        max_queries: Largest number of model queries.
        time_limit: Seconds after which no further batch is sent to the model.
    """

    layer: int
    heads: Literal["mean", "union"]
    units: Literal["tokens", "words"]
    alpha: float
    n_samples: int
    one_sided: bool
    shrinkage: float | None
    order: Literal["causal"] | None
    max_cond_size: int | None
    intervention: Intervention
    max_size: int | None
    max_range: int | None
    n_larger: int
    every: bool
    max_queries: int | None
    time_limit: float | None

    def reported(self) -> dict[str, Any]:
        """The settings that a result holds."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name not in NOT_REPORTED}


def resolve_settings(
    text_model: TextModel,
    *,
    layer: int,
    n_samples: int | None,
    intervention: Intervention | None,
    **options: Any,
) -> ExplainSettings:
    """Fill in what depends on the model.

    Raises:
        InputError: The model lacks the layer or the mask token, or a number is too small.
    """
    model = text_model.model
    if not isinstance(layer, Integral) or isinstance(layer, bool):
        raise InputError(f"layer={layer!r} must be a whole number; -1 is the deepest layer")
    if not -model.n_layers <= layer < model.n_layers:
        raise InputError(f"layer={layer} does not exist; the model has {model.n_layers}")
    has_mask = text_model.tokenizer.mask_token_id is not None
    how: Intervention = intervention or ("mask" if has_mask else "pad")
    check_choice("intervention", how, ("mask", "pad", "delete"))
    if how == "mask" and not has_mask:
        raise InputError(
            "intervention='mask' needs a mask token, and this tokeniser has none; choose pad or "
            "delete"
        )
    samples = model.hidden_size if n_samples is None else n_samples
    check_at_least("n_samples", samples, 1)
    return ExplainSettings(
        layer=int(layer) % model.n_layers,
        n_samples=samples,
        order="causal" if model.causal else None,
        intervention=how,
        **options,
    )
