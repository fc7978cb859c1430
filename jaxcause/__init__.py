"""jaxcause: causal graphs from Transformers, over one search core in JAX.

Names load on first use: importing the package costs nothing heavier than JAX, and the one-call
workflows bring in flax, optax and the rest only when they are called for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcause import attention as attention
    from jaxcause import attribution as attribution
    from jaxcause import metrics as metrics
    from jaxcause import simulate as simulate
    from jaxcause._errors import InputError as InputError
    from jaxcause.discovery import Caps as Caps
    from jaxcause.discovery import SearchResult as SearchResult
    from jaxcause.discovery import fci as fci
    from jaxcause.discovery import icd as icd
    from jaxcause.discovery import pc as pc
    from jaxcause.discovery import warmup as warmup
    from jaxcause.graph import BackgroundKnowledge as BackgroundKnowledge
    from jaxcause.graph import CausalGraph as CausalGraph
    from jaxcause.graph import LaggedGraph as LaggedGraph
    from jaxcause.graph import Mark as Mark
    from jaxcause.graph import SepSets as SepSets
    from jaxcause.graph import mag_oracle_test as mag_oracle_test
    from jaxcause.graph import oracle_test as oracle_test
    from jaxcause.stats import partial_correlation_test as partial_correlation_test
    from jaxcause.stats import (
        partial_correlation_test_from_data as partial_correlation_test_from_data,
    )
    from jaxcause.stats import rank_correlation_test_from_data as rank_correlation_test_from_data
    from jaxcause.workflows import Discovery as Discovery
    from jaxcause.workflows import TextExplanation as TextExplanation
    from jaxcause.workflows import TextModel as TextModel
    from jaxcause.workflows import discover as discover
    from jaxcause.workflows import explain as explain

_HOME = {
    "BackgroundKnowledge": "jaxcause.graph",
    "Caps": "jaxcause.discovery",
    "CausalGraph": "jaxcause.graph",
    "Discovery": "jaxcause.workflows",
    "InputError": "jaxcause._errors",
    "LaggedGraph": "jaxcause.graph",
    "Mark": "jaxcause.graph",
    "SearchResult": "jaxcause.discovery",
    "SepSets": "jaxcause.graph",
    "TextExplanation": "jaxcause.workflows",
    "TextModel": "jaxcause.workflows",
    "discover": "jaxcause.workflows",
    "explain": "jaxcause.workflows",
    "fci": "jaxcause.discovery",
    "icd": "jaxcause.discovery",
    "mag_oracle_test": "jaxcause.graph",
    "oracle_test": "jaxcause.graph",
    "partial_correlation_test": "jaxcause.stats",
    "partial_correlation_test_from_data": "jaxcause.stats",
    "pc": "jaxcause.discovery",
    "warmup": "jaxcause.discovery",
    "rank_correlation_test_from_data": "jaxcause.stats",
}
_MODULES = frozenset(
    (
        "attention attribution discovery graph io metrics models nn plot report sharding simulate "
        "stats training workflows"
    ).split()
)

__all__ = ["attention", "attribution", "metrics", "simulate", *_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"jaxcause.{name}")
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("jaxcause")
    raise AttributeError(f"module 'jaxcause' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names."""
    return sorted([*_HOME, *_MODULES, "__version__"])
