"""What goes to stdout: lines for people, or one JSON document for machines."""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from typing import Any


def complain(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"jaxcause: {' '.join(message.split())}\n")


def report(arguments: argparse.Namespace, lines: Iterable[str], document: dict[str, Any]) -> None:
    """Print what a command found.

    Args:
        arguments: Whether ``--json`` or ``--quiet`` was given.
        lines: What people read; not asked for when they do not.
        document: What machines read.
    """
    if arguments.json:
        text = json.dumps(as_plain(document), indent=2, ensure_ascii=False, allow_nan=False)
        sys.stdout.write(text + "\n")
    elif not arguments.quiet:
        for line in lines:
            sys.stdout.write(f"{line}\n")


def silent(arguments: argparse.Namespace) -> bool:
    """Whether progress is to be left out."""
    return arguments.quiet or arguments.json


def as_plain(value: Any) -> Any:
    """A value as JSON knows it: arrays become lists, and what is no number becomes null."""
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
    """Columns as wide as their longest cell; numbers to the right."""
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
