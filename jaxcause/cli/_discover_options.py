"""The options of ``jaxcause discover``: a flag for each option that some method has."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxcause._errors import InputError
from jaxcause.cli._devices import DEVICES, wants_processes
from jaxcause.cli._parser import Parser, share, whole
from jaxcause.workflows._discover.orders import SORTS
from jaxcause.workflows.methods import Option, registered

_ARROW = re.compile("->|→")

READING = (
    *"delimiter decimal thousands skip_rows encoding".split(),
    *"time_column time_format missing_value drop array".split(),
)
"""Options that ``jaxcause.io.read_series`` knows by the same name."""


class Link(NamedTuple):
    """A link at one lag, or at all."""

    source: str
    target: str
    lag: int | None


Readings = tuple[Link, ...]
"""All ways to read the text of a link, the likeliest first."""


def link(text: str) -> Readings:
    """A type: ``A->B`` or ``A->B:LAG``, whose names may hold arrows and colons themselves."""
    found = []
    for arrow in _ARROW.finditer(text):
        source, rest = text[: arrow.start()].strip(), text[arrow.end() :]
        target, colon, lag = rest.rpartition(":")
        if colon and lag.strip().isdecimal():
            found.append(Link(source, target.strip(), int(lag)))
        found.append(Link(source, rest.strip(), None))
    found = [one for one in found if one.source and one.target]
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no link; write it as A->B or A->B:LAG")
    return tuple(found)


def _link_of(readings: Readings, names: Sequence[str], flag: str) -> Link:
    """The reading whose two ends are variables; the first, if there is none.

    Raises:
        InputError: There are several.
    """
    known = [one for one in readings if one.source in names and one.target in names]
    if len(known) > 1:
        shown = " or ".join(
            f"{one.source!r} -> {one.target!r}" + ("" if one.lag is None else f" at lag {one.lag}")
            for one in known
        )
        raise InputError(f"{flag} can be read as {shown}; rename a column")
    return (known or readings)[0]


class Tier(NamedTuple):
    """The tier of a variable."""

    name: str
    number: int


def tier(text: str) -> Tier:
    """A type: ``NAME:K``."""
    name, _, number = text.rpartition(":")
    try:
        return Tier(name.strip(), int(number))
    except ValueError:
        found = f"{text!r} is no tier; write it as NAME:K with a whole number K"
        raise argparse.ArgumentTypeError(found) from None


_LINKS = {"action": "append", "type": link}
WRITTEN: dict[str, tuple[str, dict[str, Any]]] = {
    "select": (
        "--top-k",
        {"type": whole(1), "metavar": "K", "help": "keep K parents per variable, instead of --q"},
    ),
    "training": (
        "--steps",
        {"type": whole(1), "metavar": "N", "help": "training steps (default: from the data)"},
    ),
    "domain": (
        "--domain",
        {
            "metavar": "NAME",
            "help": "column that numbers regimes: an input, not a variable; auto looks for regimes "
            "(default), none takes the series for one",
        },
    ),
    "forbidden": (
        "--forbid",
        {
            **_LINKS,
            "metavar": "A->B[:LAG]",
            "help": "a link that is never selected, at one lag or all (repeatable)",
        },
    ),
    "required": (
        "--require",
        {
            **_LINKS,
            "metavar": "A->B[:LAG]",
            "help": "a link that is always selected, at one lag or all (repeatable)",
        },
    ),
    "lag_limits": (
        "--lag-limit",
        {**_LINKS, "metavar": "A->B:LAG", "help": "longest lag of a pair (repeatable)"},
    ),
    "tiers": (
        "--tier",
        {
            "action": "append",
            "type": tier,
            "metavar": "NAME:K",
            "help": "a variable of a later tier K never causes one of an earlier (for each one)",
        },
    ),
    "forecaster": (
        "--forecaster",
        {"type": Path, "metavar": "FILE", "help": "read this one instead of training"},
    ),
    "checkpoint": (
        "--resume",
        {
            "action": argparse.BooleanOptionalAction,
            "help": "go on with what was cut off in --out, to the same graph, or start anew "
            "(default: go on if it was this call)",
        },
    ),
    "mesh": DEVICES,
}
"""Options whose values are no words or numbers: their flags, and what argparse needs of them."""


def every_option() -> dict[str, dict[str, Option]]:
    """Each option by its name: for every method that has it, what it is there."""
    found: dict[str, dict[str, Option]] = {}
    for method, kind in registered().items():
        for option in kind.options():
            found.setdefault(option.name, {})[method] = option
    return found


def add_methods(command: Parser) -> None:
    """``--method``, and a flag for each option; after ``--method NAME``, help on those of NAME."""
    names = (*registered(), "auto")
    shared = command.add_argument_group("how edges are found")
    titles = [f"{name}: {kind.title or kind.name}" for name, kind in registered().items()]
    command.conflict_handler = command._optionals.conflict_handler = "resolve"
    command.add_argument("-h", "--help", action=_Help, help="show this help and leave")
    shared.add_argument(
        "--method",
        action=_Choice,
        choices=names,
        default="gradient",
        help="; ".join(titles) + "; auto: chosen from the data, and the notes say why "
        "(default: gradient). --method NAME --help shows the options of one method",
    )
    shared.add_argument("--seed", type=whole(0), default=0, help="random seed (default: 0)")
    own: dict[str, Any] = {}
    for name, methods in every_option().items():
        group = shared
        if len(methods) == 1:
            (only,) = methods
            if only not in own:
                own[only] = command.add_argument_group(f"options of --method {only}")
            group = own[only]
        flag, details = _flag(name, methods)
        group.add_argument(flag, dest=name, **details)


class _Choice(argparse.Action):
    """Store the method, and that help is wanted on it alone."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, *_: Any
    ) -> None:
        namespace.method = namespace.help_on = values


class _Help(argparse._HelpAction):
    """Show the help, without the options of other methods if one was chosen."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, *rest: Any) -> None:
        only, options = getattr(namespace, "help_on", "auto"), every_option()
        for action in parser._actions:
            methods = options.get(action.dest, {})
            if only != "auto" and methods:
                known = only in methods
                action.help = _help({only: methods[only]}) if known else argparse.SUPPRESS
                if known and action.dest in WRITTEN:
                    action.help = WRITTEN[action.dest][1]["help"]
        super().__call__(parser, namespace, *rest)


def _flag(name: str, methods: dict[str, Option]) -> tuple[str, dict[str, Any]]:
    """The flag of an option, and what argparse needs to know of it."""
    if name in WRITTEN:
        return WRITTEN[name]
    option = next(iter(methods.values()))
    flag = f"--{name.replace('_', '-')}"
    details: dict[str, Any] = {"help": _help(methods), "default": None}
    choices = tuple(dict.fromkeys(c for one in methods.values() for c in one.choices))
    if choices:
        return flag, details | {"choices": choices}
    if option.is_probability:
        return flag, details | {"type": share}
    if option.minimum is not None:
        return flag, details | {"type": whole(option.minimum), "metavar": "K"}
    if option.kind is bool:
        either = option.optional or option.default
        return flag, details | {
            "action": argparse.BooleanOptionalAction if either else "store_true"
        }
    return flag, details


def _help(methods: dict[str, Option]) -> str:
    """What the methods say of an option, each text once and behind the methods that say it."""
    by_text: dict[str, list[str]] = {}
    for method, option in methods.items():
        by_text.setdefault(_sentence(option), []).append(method)
    if len(methods) == 1:
        return next(iter(by_text))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in by_text.items())


def _sentence(option: Option) -> str:
    """The first sentence of a description, without its markup, and the default."""
    plain = option.description.replace("``", "").replace("`", "")
    first = re.split(r"(?<=[^.])\.(?: |$)", plain, maxsplit=1)[0].replace("%", "%%")
    first = first[:1].lower() + first[1:]
    default = "" if option.default is None or option.kind is bool else option.default
    known = default == "" or str(default) in first
    return first if known else f"{first} (default: {default})"


def add_listing(command: Parser) -> None:
    """How the edges are printed."""
    add = command.add_argument_group("how edges are printed").add_argument
    add("--sort", choices=SORTS, default="strength", help="order of the edges (default: strength)")
    add(
        "--self-edges",
        action=argparse.BooleanOptionalAction,
        help="list edges from a variable to itself, below the others (default: if there are at "
        "most 20 edges in all)",
    )


def add_reading(command: Parser) -> None:
    """How files are read."""
    add = command.add_argument_group("how files are read").add_argument
    add("--delimiter", metavar="CHAR", help="between cells: one character, or tab (default: ,)")
    add("--decimal", metavar="CHAR", choices=(".", ","), help="decimal mark (default: .)")
    add(
        "--thousands",
        metavar="CHAR",
        help="mark between thousands: a comma, point, blank or apostrophe (default: recognised "
        "where it is clear)",
    )
    add("--skip-rows", type=whole(0), metavar="N", help="lines before the header (default: 0)")
    add("--encoding", help="of text (default: utf-8)")
    add("--time-column", metavar="NAME", help="the time column, if it is not recognised")
    add(
        "--time-format",
        metavar="FORMAT",
        help="how times are written, such as %%d.%%m.%%Y, if that is not recognised",
    )
    add("--drop", action="append", metavar="NAME", help="leave a column out (repeatable)")
    add(
        "--missing-value",
        "--na-values",
        type=flag_of_missing,
        action="append",
        metavar="X",
        help="what stands for a missing value, besides empty cells, NA, n/a, -, --- and the like: "
        "a number such as -999, or text (repeatable; --na-values=--X for text with hyphens)",
    )
    add(
        "--mask-column",
        metavar="NAME",
        help="column of 1 (this row may be predicted) and 0: no variable",
    )
    add(
        "--array",
        metavar="NAME",
        help="the array of an npz file that holds several, or the sheet of an Excel file",
    )


def flag_of_missing(text: str) -> float | str:
    """A type: a finite number, or text as it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if number - number == 0 else text


def lags(text: str) -> int | str:
    """A type: a whole number of at least 1, or ``auto``."""
    return text if text == "auto" else whole(1)(text)


def resolution(text: str) -> int | str:
    """A type: rows of a block, a duration, or ``auto``."""
    return whole(1)(text) if text.lstrip("-").isdecimal() else text


def trend(text: str) -> object:
    """A type: ``auto``, ``none``, ``linear``, or lengths of seasons with commas between them."""
    if text in ("auto", "linear"):
        return text
    if text == "none":
        return None
    return [_season(part.strip()) for part in text.split(",")]


def _season(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def check_options(arguments: argparse.Namespace, method: str) -> None:
    """Raise unless the method has every option that was given, and none of them clash."""
    for name, methods in every_option().items():
        if _given(arguments, name) and method not in methods:
            flag = _flag(name, methods)[0]
            raise InputError(
                f"{flag} is not for --method {method}, but for {' and '.join(methods)}; "
                "leave it out"
            )
    sharing = every_option()["mesh"]
    if wants_processes(arguments) and method not in sharing:
        raise InputError(
            f"--distributed is not for --method {method}, but for {' and '.join(sharing)}; leave "
            "it out"
        )
    if arguments.q is not None and arguments.select is not None:
        raise InputError("--q and --top-k are two rules by which edges are kept; give one")
    if arguments.forecaster is not None and arguments.checkpoint:
        raise InputError("--resume is for training, and --forecaster spares it; give one")


def _given(arguments: argparse.Namespace, name: str) -> bool:
    """Whether an option was given; one that is declined, as by --no-latents, asks for nothing."""
    value = getattr(arguments, name)
    return value is not None and value is not False


def reading(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given about the files."""
    return {name: v for name in READING if (v := getattr(arguments, name)) is not None}


def chosen(arguments: argparse.Namespace, method: str, names: Sequence[str]) -> dict[str, Any]:
    """The options that were given, as ``jaxcause.discover`` takes them.

    ``domain``, ``checkpoint`` and ``mesh`` need the series, the folder and the devices, and are
    left to the command.
    """
    known = {name for name, methods in every_option().items() if method in methods}
    given = {
        name: value
        for name in known - {"domain", "checkpoint", "mesh"}
        if (value := getattr(arguments, name)) is not None
    }
    if (k := given.get("select")) is not None:
        from jaxcause.attribution import select_top_k

        given["select"] = lambda scores: select_top_k(scores, k)
    if "training" in given:
        from jaxcause.training import TrainingConfig

        given["training"] = TrainingConfig(n_steps=given["training"])
    if "forecaster" in given:
        from jaxcause.workflows import TrainedForecaster

        given["forecaster"] = TrainedForecaster.load(given["forecaster"])
    for name in given.keys() & {"forbidden", "required", "lag_limits"}:
        flag = WRITTEN[name][0]
        given[name] = [_link_of(one, names, flag) for one in given[name]]
    for name in given.keys() & {"forbidden", "required"}:
        given[name] = [one if one.lag is not None else one[:2] for one in given[name]]
    if "tiers" in given:
        given["tiers"] = dict(given["tiers"])
    if "lag_limits" in given:
        given["lag_limits"] = _limits(given["lag_limits"])
    return given


def _limits(links: list[Link]) -> dict[tuple[str, str], int]:
    limits = {}
    for source, target, lag in links:
        if lag is None:
            raise InputError(f"--lag-limit {source}->{target} has no lag; write A->B:LAG")
        limits[source, target] = lag
    return limits
