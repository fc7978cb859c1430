"""Texts and numbers in the form in which a page shows them."""

import base64
import math
import re
from typing import Any

import numpy as np

_UNDEFINED = -32768
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


def visible(text: Any) -> str:
    r"""Text whose characters are all visible: controls are written out, and so is a blank text.

    >>> visible("a\u202eb"), visible(" "), visible("\n")
    ('a⟨U+202E⟩b', '␣', '⟨U+000A⟩')
    """
    shown = _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text))
    shown = shown.encode("utf-8", "replace").decode()
    return shown if shown.strip() else "␣" * max(len(shown), 1)


def finite(value: Any) -> float | None:
    """A number, or None for None, NaN and infinities."""
    return None if value is None or not math.isfinite(value) else float(value)


def pack(matrix: Any) -> str | None:
    """Base64 of int16 multiples of 1e-4; a symmetric matrix is stored as its upper triangle."""
    if matrix is None:
        return None
    values = np.array([[np.nan if v is None else v for v in row] for row in matrix], float)
    whole = np.clip(np.round(np.where(np.isfinite(values), values, 0) * 1e4), -32767, 32767)
    codes = np.where(np.isfinite(values), whole, _UNDEFINED).astype("<i2")
    if (codes == codes.T).all():
        return "s" + base64.b64encode(codes[np.triu_indices(len(codes))].tobytes()).decode()
    return "f" + base64.b64encode(codes.tobytes()).decode()


def number(value: Any) -> int | float | None:
    """A number of at most four digits, or None where it is not finite."""
    known = finite(value)
    if known is None:
        return None
    return int(known) if known.is_integer() else float(f"{known:.4g}")
