"""What a result came from: versions, key, settings, and a fingerprint of the data."""

import datetime
import hashlib
import platform
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxcause._stored import BLOCK, blocks
from jaxcause._version import version_of
from jaxcause.series import SeriesTable


def versions() -> dict[str, str]:
    """Versions that bear on a result, where it ran, and the day."""
    return {
        **{name: version_of(name) for name in ("jaxcause", "jax", "numpy")},
        "python": platform.python_version(),
        "backend": jax.default_backend(),
        "created": datetime.date.today().isoformat(),
    }


def provenance(
    table: SeriesTable,
    *,
    key: PRNGKeyArray | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What to keep with a result as ``info.provenance``.

    Args:
        table: The series that was read.
        key: Random key, kept as the words of its data.
        settings: What the caller chose.
    """
    rows, columns = table.values.shape
    words = [] if key is None else [int(word) for word in np.ravel(jax.random.key_data(key))]
    return {
        **versions(),
        "data": f"{rows:,} rows of {columns} variables",
        "fingerprint": fingerprint(table),
        **({} if key is None else {"key": f"{jax.random.key_impl(key)} {words}"}),
        **{f"given: {name}": value for name, value in (settings or {}).items()},
    }


def fingerprint(table: SeriesTable) -> str:
    """Sixteen hexadecimal digits that change with any name, value, gap, border or mask of a series.

    >>> from jaxcause.series import as_series_table
    >>> table = as_series_table(np.eye(3), names=["a", "b", "c"])
    >>> len(fingerprint(table)), fingerprint(table) == fingerprint(table)
    (16, True)
    """
    digest = hashlib.sha256(repr(tuple(table.names)).encode())
    digest.update(repr(table.values.shape).encode())
    for block in blocks(table.values):
        # One bit pattern for all NaN, and for both zeros.
        plain = np.where(np.isnan(block), np.nan, block) + 0.0
        digest.update(np.ascontiguousarray(plain, "<f8").tobytes())
    parts = [(table.segment, "<i8")]
    parts += [] if table.targets is None else [(table.targets, "|b1")]
    for array, kind in parts:
        digest.update(repr(array.shape).encode())
        for first in range(0, len(array), BLOCK):
            digest.update(np.ascontiguousarray(array[first : first + BLOCK], kind).tobytes())
    return digest.hexdigest()[:16]
