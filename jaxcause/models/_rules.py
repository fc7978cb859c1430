"""Tables that map the names of stored weights to paths in a model's parameters, and back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcause._checks import InputError
from jaxcause.models._variants import check_floats

LINEAR = ((".weight", ".kernel", True), (".bias", ".bias", False))
"""A PyTorch Linear: stored as ``[out, in]``, so it is transposed."""
WEIGHT = ((".weight", ".kernel", True),)
"""A Linear without a bias."""
CONV1D = ((".weight", ".kernel", False), (".bias", ".bias", False))
"""GPT-2's Conv1D: stored as ``[in, out]``."""
NORM = ((".weight", ".scale", False), (".bias", ".bias", False))
EMBEDDING = ((".weight", ".embedding", False),)
PLAIN = (("", "", False),)

WRAPPERS = re.compile(r"^(module\.|model\.)+")
"""Prefixes of modules that hold the model."""

LISTED = 12
"""Largest number of names that an error lists for each kind of problem."""


class Rule(NamedTuple):
    """One line of a table.

    Args:
        key: Stored name; ``{n}`` stands for the number of a layer.
        path: Path in the parameters, with dots.
        kind: Endings of both, and whether the array is transposed.
        inside: Whether the stored name has the architecture's prefix in a model with a head.
        alias: Whether this is a second name of a path: it is read, but never written.
    """

    key: str
    path: str
    kind: tuple[tuple[str, str, bool], ...] = LINEAR
    inside: bool = True
    alias: bool = False


class WeightLayout(NamedTuple):
    """How one model's weights are stored.

    Args:
        rules: The table.
        n_layers: Number of layers, over which ``{n}`` runs.
        prefix: Prefix of names in models with a head, such as ``"bert."``.
        prefixed: Whether the prefix is written for this model.
        ignored: Regular expressions of names (without prefix) that need not be read.
    """

    rules: Sequence[Rule]
    n_layers: int
    prefix: str
    prefixed: bool
    ignored: Sequence[str]


class Entry(NamedTuple):
    """One array: its stored name, its path, and whether it is transposed."""

    key: str
    path: str
    transposed: bool
    inside: bool
    alias: bool


def entries(layout: WeightLayout) -> Iterator[Entry]:
    """Every array of a table."""
    for rule in layout.rules:
        for n in range(layout.n_layers) if "{n}" in rule.path else [0]:
            key, path = (text.replace("{n}", str(n)) for text in (rule.key, rule.path))
            for key_end, path_end, transposed in rule.kind:
                yield Entry(key + key_end, path + path_end, transposed, rule.inside, rule.alias)


def place(
    weights: Mapping[str, np.ndarray], expected: Mapping[str, Any], layout: WeightLayout, where: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Assign stored weights to the paths of a model.

    Args:
        weights: Arrays by stored name.
        expected: The model's parameters by path, as anything with a ``shape``.
        layout: How the weights are stored.
        where: The source, for error messages.

    Returns:
        Arrays by path, and the paths for which nothing was stored.

    Raises:
        InputError: A weight is no floating-point number; or a name is unknown, a shape is wrong, or
            two names of one path hold different values, and all such names are listed.
    """
    table = {entry.key: entry for entry in entries(layout)}
    placed: dict[str, np.ndarray] = {}
    read: dict[str, np.ndarray] = {}
    unknown, wrong, conflicts = [], [], []
    for stored in sorted(weights):
        name = _modern(stored, layout.prefix)
        entry = table.get(name)
        if entry is None:
            if not any(re.fullmatch(pattern, name) for pattern in layout.ignored):
                unknown.append(stored)
            continue
        if entry.path not in expected:
            continue
        read[stored] = weights[stored]
        array = weights[stored].T if entry.transposed else weights[stored]
        shape = tuple(expected[entry.path].shape)
        if array.shape != shape:
            needed = shape[::-1] if entry.transposed else shape
            wrong.append(f"{stored} {weights[stored].shape}, needed {needed}")
        elif entry.path in placed and not np.array_equal(placed[entry.path], array):
            conflicts.append(stored)
        placed[entry.path] = array
    check_floats(read, where)
    trouble = [
        _listing("not known to this architecture", unknown),
        _listing("of a wrong shape", wrong),
        _listing("unlike the weights that config.json ties them to", conflicts),
    ]
    missing = [path for path in expected if path not in placed]
    if any(trouble):
        trouble.append(_listing("missing", names(missing, layout)))
        raise InputError(
            f"the weights in {where} do not fit its config.json; {'; '.join(filter(None, trouble))}"
        )
    return placed, missing


def missing_weights(
    missing: Sequence[str], layout: WeightLayout, where: str, remedy: str
) -> InputError:
    """The error for weights that a checkpoint lacks."""
    listing = _listing("missing", names(missing, layout))
    return InputError(f"the weights in {where} are not complete; {listing}; {remedy}")


def names(paths: Sequence[str], layout: WeightLayout) -> list[str]:
    """Stored names of paths."""
    by_path = {entry.path: _full(entry, layout) for entry in entries(layout) if not entry.alias}
    return [by_path.get(path, path) for path in paths]


def stored(params: Mapping[str, np.ndarray], layout: WeightLayout) -> dict[str, np.ndarray]:
    """Arrays by stored name, from arrays by path: the inverse of `place`."""
    table = {entry.path: entry for entry in entries(layout) if not entry.alias}
    return {
        _full(table[path], layout): np.ascontiguousarray(
            array.T if table[path].transposed else array
        )
        for path, array in params.items()
    }


def _full(entry: Entry, layout: WeightLayout) -> str:
    return (layout.prefix if layout.prefixed and entry.inside else "") + entry.key


def _modern(name: str, prefix: str) -> str:
    """A stored name without prefixes; in old files a norm's parameters are called gamma and beta.

    Tools of training leave their own prefixes: ``module.`` (data parallelism), ``model.``
    (Lightning), and ``_orig_mod.`` (compilation) before any part.
    """
    name = WRAPPERS.sub("", name.replace("_orig_mod.", "")).removeprefix(prefix)
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _listing(what: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return f"{len(items)} {what}: {', '.join(items[:LISTED])}{more}"
