"""What a method of `discover` is: a frozen dataclass of options, which runs when it is called.

The files of methods import what they run only when they run it, so that the command line and the
documentation read the options without JAX.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
)

from jaxcause._checks import check_at_least, check_choice, check_probability

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from jaxcause.series import SeriesTable
    from jaxcause.workflows._discover.info import Finding


MOST_KEPT = 100
"""Values of an array or a list that a record of settings keeps."""


class _StrictlyBetween0And1:
    """Marks an option as a probability."""


class AtLeast(NamedTuple):
    """Marks an option as a whole number that is not smaller."""

    minimum: int


Probability = Annotated[float, _StrictlyBetween0And1()]
"""Type of an option that lies strictly between 0 and 1."""

Count = Annotated[int, AtLeast(1)]
"""Type of an option that is a whole number of at least 1."""

ConditioningSize = Annotated[int, AtLeast(0)]
"""Type of an option that bounds the size of conditioning sets."""

TransformName = Literal["standardise", "log", "copula", "difference", "log_difference"]
"""Transforms of the values (`jaxcause.series.fit_transform`), or of their changes from row to row
(`jaxcause.series.changes`)."""


class Option(NamedTuple):
    """One option of a method, for whoever lists or reads options.

    Args:
        name: Name of the field.
        kind: Its annotation, without ``None``.
        optional: Whether it may be None.
        default: What it is if left out.
        description: What the docstring of the method says of it.
    """

    name: str
    kind: Any
    optional: bool
    default: Any
    description: str

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it may be, if it is one of some words."""
        kinds = get_args(self.kind) if get_origin(self.kind) is Union else (self.kind,)
        return next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())

    @property
    def is_probability(self) -> bool:
        """Whether it lies strictly between 0 and 1."""
        return any(isinstance(mark, _StrictlyBetween0And1) for mark in _marks(self.kind))

    @property
    def minimum(self) -> int | None:
        """The smallest whole number that it may be, if it is one."""
        return next((m.minimum for m in _marks(self.kind) if isinstance(m, AtLeast)), None)

    def check(self, value: Any) -> None:
        """Raise an `InputError` that names the option unless ``value`` may be given for it."""
        if value is None and self.optional:
            return
        if self.is_probability:
            check_probability(self.name, value)
        elif self.minimum is not None:
            check_at_least(self.name, value, self.minimum)
        elif self.choices and (isinstance(value, str) or get_origin(self.kind) is Literal):
            check_choice(self.name, value, self.choices)


class Method:
    """Base of the methods. A subclass is a frozen dataclass whose fields are its options.

    Every field is documented under ``Args`` of the docstring of the class that has it. Its
    annotation says what it may be (`Probability`, `Count`, ``Literal``), and is checked when the
    method is made.
    """

    name: ClassVar[str]
    """What ``method=`` calls it."""

    title: ClassVar[str] = ""
    """The method in a few words, as pages and lists of methods show it."""

    linear: ClassVar[bool] = False
    """Whether its tests assume linear effects; `discover` then warns of discrete columns."""
    takes_key: ClassVar[bool] = True
    """Whether chance plays a part in it; if not, it may be called with ``key=None``."""
    takes_mask: ClassVar[bool] = False
    """Whether it predicts only the rows that are targets of its table (``discover(mask=…)``)."""
    streams: ClassVar[bool] = False
    """Whether it reads a series that stays on disk block by block; others get a sample of rows."""
    chooses_transform: ClassVar[bool] = False
    """Whether it takes ``transform="auto"`` itself; for others, `discover` chooses before."""
    per_row: ClassVar[tuple[str, ...]] = ()
    """Options that hold a whole number for each row, which resampling maps to blocks of rows."""

    def __post_init__(self) -> None:
        """Check every option."""
        for option in self.options():
            option.check(getattr(self, option.name))

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """The options in the order of the fields, those that methods share at the end."""
        described: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            described |= _described(base.__doc__ or "")
        fields = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
        return tuple(
            Option(
                field.name,
                *_without_none(field.type),
                field.default,
                described.get(field.name, ""),
            )
            # Options that methods share come last.
            for field in sorted(fields, key=lambda field: field.kw_only is True)
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The options as plain values, for a record of how a graph was found."""
        return {option.name: _plain(getattr(self, option.name)) for option in self.options()}

    def window_length(self, max_lag: int) -> int:
        """Rows of one window: those of all lags, and the row that is explained."""
        return max_lag + 1

    @property
    def masks_missing(self) -> bool:
        """Whether windows with missing values may be used."""
        return False

    @property
    def resample(self) -> "int | None":
        """Rows of a time step of the model that it was given; None if it may be any number."""
        return None

    def __call__(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray", progress: bool
    ) -> "Finding":
        """Learn the graph of a series.

        Args:
            table: The series.
            max_lag: Longest lag.
            key: Random key; None if none was given and the method has ``takes_key = False``.
            progress: Whether to draw progress on stderr.
        """
        raise NotImplementedError


def _marks(kind: Any) -> tuple[Any, ...]:
    return get_args(kind)[1:] if get_origin(kind) is Annotated else ()


def _without_none(kind: Any) -> tuple[Any, bool]:
    """An annotation without None, and whether None was among it."""
    if isinstance(kind, str):
        return kind.removesuffix(" | None"), kind.endswith(" | None")
    kinds = [one for one in get_args(kind) if one is not NoneType]
    if get_origin(kind) is Annotated or len(kinds) == len(get_args(kind)):
        return kind, False
    return (kinds[0] if len(kinds) == 1 else Union[tuple(kinds)]), True  # noqa: UP007


def _described(docstring: str) -> dict[str, str]:
    """What the section ``Args`` of a docstring says of each name."""
    section = docstring.partition("Args:\n")[2]
    found: dict[str, str] = {}
    name = None
    for line in section.splitlines():
        entry = re.match(r"(?: {4}| {8})(\w+): (.*)", line)
        if entry:
            name = entry[1]
            found[name] = entry[2]
        elif name is not None and line.strip():
            if len(line) - len(line.lstrip()) < 8:
                break
            found[name] += " " + line.strip()
    return found


def _plain(value: Any) -> Any:
    """A value as a record keeps it: large arrays by their shape, functions by their name."""
    if getattr(value, "size", 0) > MOST_KEPT or (
        isinstance(value, list) and len(value) > MOST_KEPT
    ):
        return f"array of shape {getattr(value, 'shape', (len(value),))}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(name): inner for name, inner in value.items()}
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return str(value) if isinstance(value, Path) else value
