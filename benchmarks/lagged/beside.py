"""Packages of others that are installed beside this library, where they are."""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from benchmarks.lagged.published import NotThere


def without_init(package: str) -> None:
    """Let modules of a package be imported although its ``__init__`` needs what is not here."""
    if package in sys.modules:
        return
    found = importlib.util.find_spec(package)
    if found is None:
        raise NotThere(f"{package} is not installed")
    bare = ModuleType(package)
    bare.__spec__, bare.__path__ = found, list(found.submodule_search_locations or ())
    sys.modules[package] = bare


def imported(module: str) -> Any:
    """A module of a package that may be absent."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotThere(f"{module} cannot be imported ({error})") from None
