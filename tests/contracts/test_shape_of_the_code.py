"""Sizes and names that keep the code readable."""

import ast
from collections import defaultdict
from pathlib import Path

import jaxcause

PACKAGE = Path(jaxcause.__file__).parent
MOST_BODY, MOST_MODULE, MOST_SIDE_BY_SIDE = 50, 450, 16
ALGORITHMS = "attention attribution discovery stats graph simulate training models".split()

SAME_NAMES = {"Links", "Skeleton"}


def modules():
    """Path inside the package and text of every module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), path.read_text(encoding="utf-8")


def nodes(*kinds):
    """Path and node of every definition of some kinds."""
    for path, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, kinds):
                yield path, node


def body_length(function):
    """Lines of a function from the first statement after its docstring to the end."""
    statements = function.body[ast.get_docstring(function) is not None :]
    return function.end_lineno - statements[0].lineno + 1 if statements else 0


def test_function_bodies_are_short():
    long = {
        f"{path.as_posix()} {function.name}"
        for path, function in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if body_length(function) > MOST_BODY
    }
    assert long == set()


def test_modules_are_short():
    long = [path.as_posix() for path, text in modules() if text.count("\n") > MOST_MODULE]
    assert long == []


def test_folders_of_algorithms_are_small():
    for name in ALGORITHMS:
        folders = [PACKAGE / name, *(p for p in (PACKAGE / name).rglob("*") if p.is_dir())]
        for folder in folders:
            files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
            assert len(files) <= MOST_SIDE_BY_SIDE, folder


def test_no_two_types_share_a_name():
    folders = defaultdict(list)
    for path, node in nodes(ast.ClassDef):
        folders[node.name].append(path.parent.as_posix())
    # The search on the host and the traced search consist of the same parts.
    pair = ["discovery/_host", "discovery/_traced"]
    shared = {name for name, where in folders.items() if len(where) > 1 and sorted(where) != pair}
    assert shared == set()


def test_functions_that_are_not_tests_are_not_named_like_tests():
    named = {
        f"{path.as_posix()} {function.name}"
        for path, function in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if function.name.startswith("test_")
    }
    assert named == set()
