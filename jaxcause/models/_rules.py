"""Tables from the names of stored weights to places in a model's parameters, and back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcause._checks import InputError

LINEAR = ((".weight", ".kernel", True), (".bias", ".bias", False))
"""A PyTorch Linear: stored ``[out, in]``, so it transposes."""
WEIGHT = ((".weight", ".kernel", True),)
"""A Linear without a bias."""
CONV1D = ((".weight", ".kernel", False), (".bias", ".bias", False))
"""GPT-2's Conv1D: stored ``[in, out]`` already."""
NORM = ((".weight", ".scale", False), (".bias", ".bias", False))
EMBEDDING = ((".weight", ".embedding", False),)
PLAIN = (("", "", False),)

LISTED = 12
"""Names that an error lists of each kind of trouble."""


class Rule(NamedTuple):
    """One line of a table.

    Args:
        key: Stored name; ``{n}`` stands for the number of a layer.
        path: Place in the parameters, with dots.
        kind: Endings of both, and whether the array transposes.
        inside: Whether the name carries the architecture's prefix when there is a head.
        alias: Whether it is a second name of a place that has another one: read, never written.
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
        n_layers: Numbers that ``{n}`` runs over.
        prefix: Put before names inside the model when there is a head, such as ``"bert."``.
        prefixed: Whether this model's own files have it.
        ignored: Regular expressions of names (without prefix) that may be left unread.
    """

    rules: Sequence[Rule]
    n_layers: int
    prefix: str
    prefixed: bool
    ignored: Sequence[str]


class Entry(NamedTuple):
    """One array: its stored name, its place, and whether it transposes on the way."""

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
    """Put stored weights where the model has them.

    Args:
        weights: Arrays by stored name.
        expected: What the model has by place: anything with a ``shape``.
        layout: How they are stored.
        where: The source, for the message.

    Returns:
        Arrays by place, and the places of which nothing was stored.

    Raises:
        InputError: Names that no rule knows, wrong shapes, or two names of one place that
            disagree; all of them are listed.
    """
    table = {entry.key: entry for entry in entries(layout)}
    placed: dict[str, np.ndarray] = {}
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
        array = weights[stored].T if entry.transposed else weights[stored]
        shape = tuple(expected[entry.path].shape)
        if array.shape != shape:
            needed = shape[::-1] if entry.transposed else shape
            wrong.append(f"{stored} {weights[stored].shape}, needed {needed}")
        elif entry.path in placed and not np.array_equal(placed[entry.path], array):
            conflicts.append(stored)
        placed[entry.path] = array
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
    """Stored names of places."""
    by_path = {entry.path: _full(entry, layout) for entry in entries(layout) if not entry.alias}
    return [by_path.get(path, path) for path in paths]


def stored(params: Mapping[str, np.ndarray], layout: WeightLayout) -> dict[str, np.ndarray]:
    """Arrays by stored name, from arrays by place: the way back of `place`."""
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
    """A stored name without prefix; the oldest files call a norm's parameters gamma and beta."""
    name = name.removeprefix(prefix)
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _listing(what: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return f"{len(items)} {what}: {', '.join(items[:LISTED])}{more}"
