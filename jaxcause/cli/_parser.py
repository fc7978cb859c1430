"""The argument parser: errors of one line with a remedy, and types that check their values."""

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from jaxcause._errors import InputError

Commands = Any
"""The type that ``add_subparsers`` returns, which is private in argparse."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `InputError`: one line, with a remedy."""

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """Parse arguments; an unknown argument is an error."""
        arguments, unknown = self.parse_known_args(argv)
        if unknown:
            command = self.commands()[arguments.command]
            if unknown[0].split("=")[0] in command._option_string_actions:
                # The option is known to the command, so it must stand before it.
                moved = f"{self.prog} {arguments.command} … {unknown[0]}"
                command.error(f"options follow the command: {moved}")
            command.error(f"unknown argument {unknown[0]!r}{command.nearest(unknown[0])}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting."""
        first = " ".join(message.split())
        raise InputError(f"{first}; see {self.prog} --help") from None

    def commands(self) -> dict[str, "Parser"]:
        """The parsers of the commands by name."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return dict(action.choices)
        return {}

    def options(self) -> dict[str, str]:
        """The option of every argument over all commands, such as ``--max-lag`` of ``max_lag``."""
        found = {
            # The first long one: --latents, not --no-latents.
            action.dest: next(o for o in (*action.option_strings, "") if o[:2] in ("--", ""))
            for action in self._actions
            if action.option_strings
        }
        for command in self.commands().values():
            found |= command.options()
        return found

    def nearest(self, typed: str) -> str:
        """A suggestion of the option that was probably meant."""
        known = [option for action in self._actions for option in action.option_strings]
        name = typed.split("=")[0]
        near = difflib.get_close_matches(name, known, n=1) or [
            option for option in known if len(name) > 3 and name.strip("-") in option
        ]
        return f", did you mean {near[0]}?" if near and typed.startswith("-") else ""


def new_parser() -> Parser:
    """The parser of ``jaxcause`` itself."""
    parser = Parser(
        prog="jaxcause",
        description="Causal graphs from Transformers, over one search core in JAX.",
        epilog=(
            "examples:\n"
            "  jaxcause demo\n"
            "  jaxcause discover rivers.csv --max-lag 3 --out rivers-graph\n"
            '  jaxcause explain --model ./sentiment --text "a thin plot, superbly acted"\n'
            "\nexit codes: 0 done, 2 bad arguments or input, 130 interrupted, 141 broken pipe"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    return parser


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    brief: str,
    description: str,
    examples: tuple[str, ...],
) -> Parser:
    """Add a command that calls ``run``."""
    command = commands.add_parser(
        name,
        help=brief,
        description=description,
        epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def add_output(command: Parser) -> None:
    """Add the options that all commands share."""
    command.add_argument(
        "--json", action="store_true", help="print one JSON document, for machines"
    )
    command.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_mutual(command: Parser) -> None:
    """Add the option that says what two arrows between one pair are."""
    command.add_argument(
        "--mutual",
        choices=("refuse", "undirected"),
        default="refuse",
        help="what an arrow in each direction between two variables is: an error (default), or an "
        "undirected edge, as in the CPDAGs of gCastle and pgmpy",
    )


def add_folder(command: Parser, default: str) -> None:
    """Add the option for the folder that a command writes."""
    command.add_argument(
        "--out",
        type=_folder,
        default=Path(default),
        metavar="DIR",
        help=f"folder to write (default: {default})",
    )


def _folder(text: str) -> Path:
    """A type: the name of a folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name a folder, or . for this one")
    return Path(text)


def whole(minimum: int) -> Callable[[str], int]:
    """A type: a whole number of at least ``minimum``."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{text} must be at least {minimum}")
        return value

    return read


def share(text: str) -> float:
    """A type: a number strictly between 0 and 1."""
    value = _number(text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} must lie strictly between 0 and 1")
    return value


def positive(text: str) -> float:
    """A type: a number above 0."""
    value = _number(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


class _Version(argparse.Action):
    """Show the version, which is looked up only if this option is used."""

    def __init__(self, option_strings: list[str], dest: str, **details: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=details.get("help"))

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from jaxcause._version import version_of

        sys.stdout.write(f"jaxcause {version_of('jaxcause')}\n")
        parser.exit()
