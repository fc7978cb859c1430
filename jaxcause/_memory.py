"""Memory is planned, not met: what a call will hold is estimated first, and refused if too much.

The budget is what ``JAXCAUSE_MEMORY`` says, such as ``8GB``, and otherwise 90 % of the memory that
the machine, or the container, has left. ``JAXCAUSE_MEMORY=off`` refuses nothing.
"""

import os
import re
from pathlib import Path

from jaxcause._errors import InputError

SWITCH = "JAXCAUSE_MEMORY"
SHARE = 0.9
NEVER_REFUSED = 1 << 28
"""Estimates below this are not compared with the budget, which takes time to find out."""

_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def check_memory(what: str, n_bytes: float, remedy: str) -> None:
    """Raise unless ``n_bytes`` fit the budget.

    Args:
        what: What needs the memory, as the beginning of a sentence.
        n_bytes: How much it will hold at once, by an estimate from shapes.
        remedy: What the caller can do.

    Raises:
        InputError: They do not fit.

    >>> check_memory("pc on 200 nodes", 5e6, "give fewer nodes")
    """
    if n_bytes <= NEVER_REFUSED:
        return
    budget = memory_budget()
    if budget is not None and n_bytes > budget:
        raise InputError(
            f"{what} needs about {in_words(n_bytes)} of memory, and {in_words(budget)} may be "
            f"used; {remedy}, or set {SWITCH} to allow more"
        )


def memory_budget() -> float | None:
    """Bytes that a call may hold; None if nobody knows, or if nothing is to be refused.

    Raises:
        InputError: ``JAXCAUSE_MEMORY`` is no amount.
    """
    asked = os.environ.get(SWITCH, "").strip()
    if asked.lower() == "off":
        return None
    if asked:
        return _amount(asked)
    left = [n for n in (_machine_has_left(), _container_has_left()) if n is not None]
    return SHARE * min(left) if left else None


def in_words(n_bytes: float) -> str:
    """An amount of memory for people.

    >>> in_words(5.5e12), in_words(3e8)
    ('5,122 GB', '286 MB')
    """
    if n_bytes < 2**30:
        return f"{n_bytes / 2**20:,.0f} MB"
    return f"{n_bytes / 2**30:,.0f} GB" if n_bytes >= 10 * 2**30 else f"{n_bytes / 2**30:.1f} GB"


def _amount(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", text.upper())
    if found is None or float(found[1]) == 0:
        raise InputError(f"{SWITCH}={text!r} is no amount of memory; give 8GB, 500MB or off")
    return float(found[1]) * _UNITS[found[2]]


def _machine_has_left() -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _container_has_left() -> float | None:
    """What is left of the limit of a control group, of version 2 or 1."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            folder = Path("/sys/fs/cgroup")
            most, now = ((folder / name).read_text(encoding="ascii") for name in (limit, used))
            return max(0.0, float(most) - float(now)) if most.strip() != "max" else None
        except (OSError, ValueError):
            continue
    return None
