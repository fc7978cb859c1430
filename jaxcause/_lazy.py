"""Public names that load on first use, each listed once, in a stub beside the package."""

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package from the imports of its stub.

    A stub ``__init__.pyi`` holds lines such as ``from jaxcause.graph import Mark as Mark``, which
    type checkers read; a name loads what its line imports when it is first asked for (the way of
    SPEC 1 of Scientific Python).

    Args:
        package: Name of the package.
        file: Its ``__init__.py``.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    home = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def load(name: str) -> Any:
        """Load a public name on first use."""
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = home[name]
        if module == package:
            return importlib.import_module(f"{package}.{attribute}")
        return getattr(importlib.import_module(module), attribute)

    return load, lambda: sorted(home), sorted(home)
