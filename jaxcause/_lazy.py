"""Public names that load on first use, each listed once, in a stub beside the package.

A stub ``__init__.pyi`` holds lines such as ``from jaxcause.graph import Mark as Mark``, which type
checkers read as well (the way of SPEC 1 of Scientific Python).
"""

import functools
import importlib
from collections.abc import Callable
from typing import Any


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package, which read its stub when first asked.

    Args:
        package: Name of the package.
        file: Its ``__init__.py``.
    """

    @functools.cache
    def homes() -> dict[str, str]:
        import ast
        from pathlib import Path

        stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
        return {
            alias.name: node.module or ""
            for node in stub.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    def load(name: str) -> Any:
        """Load a public name on first use."""
        if name == "__all__":
            # A star brings no sub-packages, some of which need libraries that may be absent.
            return sorted(name for name, home in homes().items() if home != package)
        home = None if name.startswith("__") else homes().get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home == package:
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(home), name)

    return load, lambda: sorted(homes())
