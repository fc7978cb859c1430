"""jaxcause: causal graphs from Transformers, over one search core in JAX.

Names load on first use: importing the package costs nothing heavier than JAX, and the one-call
workflows bring in flax, optax and the rest only when they are called for. The stub
``__init__.pyi`` lists the public names.
"""

from typing import Any

from jaxcause._lazy import attach

_load, _names = attach(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name == "__version__":
        from jaxcause._version import version_of

        return version_of("jaxcause")
    return _load(name)


def __dir__() -> list[str]:
    """Public names."""
    return [*_names(), "__version__"]
