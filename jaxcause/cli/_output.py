"""Output: lines for people or one JSON document for machines on stdout, messages on stderr."""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from typing import Any


def complain(message: str) -> None:
    """Print a message as one line on stderr."""
    sys.stderr.write(f"jaxcause: {' '.join(message.split())}\n")


def report(arguments: argparse.Namespace, lines: Iterable[str], document: dict[str, Any]) -> None:
    """Print the result of a command.

    Args:
        arguments: The arguments, with ``json`` and ``quiet``.
        lines: The lines for people; an iterator is not consumed with ``--json`` or ``--quiet``.
        document: The document for machines.
    """
    if arguments.json:
        text = json.dumps(as_plain(document), indent=2, ensure_ascii=False, allow_nan=False)
        sys.stdout.write(text + "\n")
    elif not arguments.quiet:
        for line in lines:
            sys.stdout.write(f"{line}\n")


def silent(arguments: argparse.Namespace) -> bool:
    """Whether no progress is shown."""
    return arguments.quiet or arguments.json


def as_plain(value: Any) -> Any:
    """A value that JSON can hold: arrays become lists, NaN and infinities become null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): as_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Lines of a table; columns of numbers are aligned to the right."""
    cells = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [all(_is_number(row[k]) for row in cells[1:]) for k in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if aligned else cell.ljust(width)
            for cell, width, aligned in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell
    return True
