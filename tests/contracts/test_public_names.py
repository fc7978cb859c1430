"""The public names: listed once, in the stub, and all of them exist."""

import ast
import importlib
from pathlib import Path

import pytest

import jaxcause as jc

PACKAGE = Path(jc.__file__).parent
STUB = [
    (node.module, alias.name, alias.asname)
    for node in ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8")).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
]
NAMES = [name for _, name, _ in STUB]


def test_the_stub_lists_every_name_once_and_re_exports_it():
    assert len(NAMES) == len(set(NAMES))
    assert all(name == alias for _, name, alias in STUB)


def test_the_stub_and_the_package_agree():
    assert jc.__all__ == sorted(name for home, name, _ in STUB if home != "jaxcause")
    assert dir(jc) == sorted([*NAMES, "__version__"])


@pytest.mark.parametrize(("home", "name"), [(home, name) for home, name, _ in STUB])
def test_a_public_name_is_what_its_home_defines(home, name):
    found = getattr(jc, name)
    if home == "jaxcause":
        assert found is importlib.import_module(f"jaxcause.{name}")
    else:
        assert found is getattr(importlib.import_module(home), name)


def test_every_public_folder_is_a_public_name():
    folders = {
        path.parent.name
        for path in PACKAGE.glob("*/__init__.py")
        if not path.parent.name.startswith("_")
    }
    assert folders - {"cli"} <= set(NAMES)


def test_other_names_do_not_exist():
    with pytest.raises(AttributeError, match="no attribute 'pcx'"):
        jc.pcx  # noqa: B018
    assert not hasattr(jc, "__wrapped__")
