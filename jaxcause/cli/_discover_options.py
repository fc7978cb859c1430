"""The options of ``jaxcause discover``, and which methods they are for."""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from jaxcause._errors import InputError
from jaxcause.cli._parser import Parser, share, whole

METHODS = ("gradient", "lasso", "pc", "pcmci", "pcmci+", "var", "auto")
READOUTS = ("gradient_energy", "score_energy", "input_x_gradient", "attn_lrp", "cp_lrp")
TRANSFORMS = ("auto", "standardise", "log", "copula")
PRESETS = ("small", "base", "large", "content")

TRAINED = ("gradient",)
PCMCI = ("pcmci", "pcmci+")
BELONGS = {
    "q": ("gradient", "var", *PCMCI),
    "alpha": ("gradient", "pc", *PCMCI),
    "contemporaneous": ("gradient", "pc", "pcmci"),
    "latents": ("gradient",),
    "max_cond_size": ("pc", *PCMCI),
    **dict.fromkeys(
        (
            "top_k readout head model members steps forecaster resume missing domain forbid "
            "require lag_limit"
        ).split(),
        TRAINED,
    ),
}
"""The methods that an option is for."""

SAME = (
    "q alpha readout contemporaneous latents max_cond_size transform head model members missing"
).split()
"""Options that ``jaxcause.discover`` knows by the same name."""

READING = "delimiter decimal skip_rows encoding time_column time_format drop array".split()
"""Options that ``jaxcause.io.read_series`` knows by the same name."""


def add_method(command: Parser) -> None:
    """How edges are found."""
    add = command.add_argument_group("how edges are found").add_argument
    add(
        "--method",
        choices=METHODS,
        default="gradient",
        help="gradient: a Transformer's input gradients (default); pc: partial correlations; "
        "pcmci, pcmci+: the same given the parents of both ends; var: t-tests of a linear "
        "autoregression; lasso: a penalised one; auto: chosen from the data, and the notes say why",
    )
    add("--q", type=share, help=f"false-discovery rate (default: 0.1){_for('q')}")
    add(
        "--alpha",
        type=share,
        help="significance level (pc: 0.01; pcmci: 0.2, of its conditions; gradient, with "
        "--latents or --contemporaneous: 0.0001)",
    )
    add("--top-k", type=whole(1), metavar="K", help="keep K parents per variable instead" + _for())
    add(
        "--readout",
        choices=READOUTS,
        help="what is read from the forecaster (default: gradient_energy; with --head gaussian "
        f"score_energy){_for()}",
    )
    add("--transform", choices=TRANSFORMS, help="of each column (default: auto)")
    add(
        "--contemporaneous",
        action="store_true",
        default=None,
        help=f"allow edges within a time step{_for('contemporaneous')}",
    )
    add(
        "--latents",
        action=argparse.BooleanOptionalAction,
        help="allow hidden common causes: edges are searched again, and marked <-> or o-> where "
        "such a cause explains or may explain them (default: where long series show them)"
        f"{_for('latents')}",
    )
    add(
        "--max-cond-size",
        type=whole(0),
        metavar="K",
        help=f"largest conditioning set{_for('max_cond_size')}",
    )
    add("--seed", type=whole(0), default=0, help="random seed (default: 0)")


def add_training(command: Parser) -> None:
    """The forecaster and its training."""
    add = command.add_argument_group("the forecaster" + _for()).add_argument
    add("--model", choices=PRESETS, help="its size (default: base)")
    add(
        "--head",
        choices=("mean", "gaussian"),
        help="gaussian forecasts a variance, too, and finds effects on it alone (default: mean)",
    )
    add("--members", type=whole(1), metavar="N", help="size of an ensemble (default: 1)")
    add("--steps", type=whole(1), help="training steps (from the length of the series if left out)")
    add("--forecaster", type=Path, metavar="FILE", help="read this one instead of training")
    add(
        "--resume",
        action="store_true",
        default=None,
        help="go on with the training that was cut off in --out, to the same graph",
    )


def add_knowledge(command: Parser) -> None:
    """What is known beforehand."""
    add = command.add_argument_group("what is known beforehand" + _for()).add_argument
    for name, what in (("forbid", "never"), ("require", "always")):
        add(
            f"--{name}",
            action="append",
            type=link,
            metavar="A->B[:LAG]",
            help=f"a link that is {what} selected, at one lag or all (repeatable)",
        )
    add(
        "--lag-limit",
        action="append",
        type=link,
        metavar="A->B:LAG",
        help="longest lag of a pair (repeatable)",
    )


def add_reading(command: Parser) -> None:
    """How files are read."""
    add = command.add_argument_group("how files are read").add_argument
    add("--delimiter", metavar="CHAR", help="between cells: one character, or tab (default: ,)")
    add("--decimal", metavar="CHAR", choices=(".", ","), help="decimal mark (default: .)")
    add("--skip-rows", type=whole(0), metavar="N", help="lines before the header (default: 0)")
    add("--encoding", help="of text (default: utf-8)")
    add("--time-column", metavar="NAME", help="the time column, if it is not recognised")
    add("--time-format", metavar="FORMAT", help="how times are written, such as %%d.%%m.%%Y")
    add("--drop", action="append", metavar="NAME", help="leave a column out (repeatable)")
    add("--array", metavar="NAME", help="the array of an npz file that holds several")
    add(
        "--domain",
        metavar="NAME",
        help=f"column that numbers regimes: an input of the forecaster, not a variable{_for()}",
    )
    add(
        "--missing",
        choices=("auto", "drop", "mask"),
        help=f"leave out windows with missing values, or mask these (default: auto){_for()}",
    )


def lags(text: str) -> int | str:
    """A type: a whole number of at least 1, or ``auto``."""
    return text if text == "auto" else whole(1)(text)


class Link(NamedTuple):
    """A link at one lag, or at all."""

    source: str
    target: str
    lag: int | None


def link(text: str) -> Link:
    """A type: ``A->B`` or ``A->B:LAG``."""
    source, arrow, rest = text.partition("->")
    target, colon, lag = rest.rpartition(":")
    if not (colon and lag.strip().isdecimal()):
        target, lag = rest, ""
    if not arrow or not source.strip() or not target.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no link; write it as A->B or A->B:LAG")
    return Link(source.strip(), target.strip(), int(lag) if lag else None)


def _for(name: str = "steps") -> str:
    return f" [{', '.join(BELONGS[name])}]"


def check_method(arguments: argparse.Namespace) -> None:
    """Raise where an option is of no use to the chosen method."""
    for name, methods in BELONGS.items():
        value = getattr(arguments, name)
        # What is declined, as by --no-latents, asks nothing of any method.
        given = value is not None and value is not False
        if given and arguments.method not in (*methods, "auto"):
            raise InputError(
                f"--{name.replace('_', '-')} is not for --method {arguments.method}, but for "
                f"{' and '.join(methods)}; leave it out"
            )
    searched = arguments.latents or arguments.contemporaneous or arguments.method != "gradient"
    if arguments.alpha is not None and not searched:
        raise InputError(
            "--alpha is for --latents, --contemporaneous or --method pc and pcmci; --q is the "
            "false-discovery rate of --method gradient"
        )
    if arguments.readout == "score_energy" and arguments.head != "gaussian":
        if arguments.forecaster is None:
            raise InputError("--readout score_energy needs --head gaussian; add it")
    if arguments.q is not None and arguments.top_k is not None:
        raise InputError("--q and --top-k are two rules by which edges are kept; give one")
    for clash in ("resume", "steps", "members", "model", "head"):
        if arguments.forecaster is not None and getattr(arguments, clash) is not None:
            raise InputError(f"--{clash} is for training, and --forecaster spares it; give one")


def reading(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given about the files."""
    return {name: v for name in READING if (v := getattr(arguments, name)) is not None}


def chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given; the rest is left to the defaults of ``jaxcause.discover``."""
    from jaxcause.attribution import select_top_k
    from jaxcause.training import TrainingConfig
    from jaxcause.workflows import TrainedForecaster

    given = {name: v for name in SAME if (v := getattr(arguments, name)) is not None}
    if (k := arguments.top_k) is not None:
        given["select"] = lambda scores: select_top_k(scores, k)
    if arguments.steps is not None:
        given["training"] = TrainingConfig(n_steps=arguments.steps)
    if arguments.forecaster is not None:
        given["forecaster"] = TrainedForecaster.load(arguments.forecaster)
    for option, name in (("forbid", "forbidden"), ("require", "required")):
        if (links := getattr(arguments, option)) is not None:
            given[name] = [one if one.lag is not None else one[:2] for one in links]
    if arguments.lag_limit is not None:
        given["lag_limits"] = _limits(arguments.lag_limit)
    return given


def _limits(links: list[Link]) -> dict[tuple[str, str], int]:
    limits = {}
    for source, target, lag in links:
        if lag is None:
            raise InputError(f"--lag-limit {source}->{target} has no lag; write A->B:LAG")
        limits[source, target] = lag
    return limits
