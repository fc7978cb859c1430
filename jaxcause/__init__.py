"""jaxcause: causal graphs from Transformers, over one search core in JAX.

Names load on first use: importing the package costs nothing heavier than JAX, and the one-call
workflows bring in flax, optax and the rest only when they are called for. The stub
``__init__.pyi`` lists the public names.
"""

import functools
import importlib
from typing import Any


@functools.cache
def _homes() -> dict[str, str]:
    """The module from which each public name is imported, read from the stub."""
    import ast
    from pathlib import Path

    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    return {
        alias.name: node.module or ""
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name == "__all__":
        return sorted(_homes())
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("jaxcause")
    home = None if name.startswith("__") else _homes().get(name)
    if home is None:
        raise AttributeError(f"module 'jaxcause' has no attribute {name!r}")
    if home != "jaxcause" and hasattr(found := importlib.import_module(home), name):
        return getattr(found, name)
    return importlib.import_module(f"{home}.{name}")


def __dir__() -> list[str]:
    """Public names."""
    return sorted([*_homes(), "__version__"])
