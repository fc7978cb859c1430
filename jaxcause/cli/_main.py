"""From arguments to an exit code."""

import os
import re
import sys

from jaxcause._errors import InputError
from jaxcause.cli import (
    _benchmark,
    _compare,
    _completion,
    _convert,
    _demo,
    _discover,
    _explain,
    _plot,
)
from jaxcause.cli._output import complain
from jaxcause.cli._parser import Parser, new_parser

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_NOBODY_READS = 141

EXTRAS = {
    "matplotlib": "plot",
    "narwhals": "data",
    "openpyxl": "data",
    "pandas": "data",
    "polars": "data",
    "pyarrow": "data",
}
"""Which extra brings a library that may be absent."""

LESS_MEMORY = "give fewer variables, lags or rows"


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code (2 for bad input, 130 when interrupted)."""
    parser = build_parser()
    try:
        arguments = parser.parse(sys.argv[1:] if argv is None else argv)
        code = arguments.run(arguments)
        sys.stdout.flush()
    except InputError as error:
        complain(f"error: {_as_options(str(error), parser)}")
        return EXIT_BAD_INPUT
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        complain(f'error: {error.name} is missing; pip install "jaxcause[{EXTRAS[error.name]}]"')
        return EXIT_BAD_INPUT
    except KeyboardInterrupt as interrupt:
        complain(str(interrupt) or "interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes once more when it ends, and must not complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NOBODY_READS
    except OSError as error:
        where = "" if error.filename is None else f" ({error.filename})"
        complain(f"error: {error.strerror or error}{where}; check the disk and the paths")
        return EXIT_BAD_INPUT
    except MemoryError as error:
        complain(f"error: out of memory: {error or 'nothing is left'}; {LESS_MEMORY}")
        return EXIT_BAD_INPUT
    return code


def build_parser() -> Parser:
    """The parser of all commands."""
    parser = new_parser()
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (
        _discover,
        _explain,
        _plot,
        _compare,
        _convert,
        _demo,
        _benchmark,
        _completion,
    ):
        module.add(commands)
    return parser


def _as_options(message: str, parser: Parser) -> str:
    """``max_lag=0`` as the ``--max-lag 0`` that was typed, ``latents=True`` as ``--latents``."""
    options = parser.options()
    return re.sub(
        r"\b([a-z_]+)=(?:(True\b)|(?=\S))",
        lambda found: options[found[1]] + " " * (not found[2]) if found[1] in options else found[0],
        message,
    )
