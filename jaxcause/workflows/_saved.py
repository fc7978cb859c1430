"""What the results of `discover` and `explain` share: JSON, pages, and notebooks."""

import base64
import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxcause._checks import InputError
from jaxcause.io._files import read_text, write_whole
from jaxcause.report import notebook_frame


class Saved:
    """A result that can be written as text, as JSON, and as a page."""

    def headline(self) -> str:
        """The result in one line."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values that follow a schema."""
        raise NotImplementedError

    def to_html(self) -> str:
        """A self-contained page."""
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """What `to_json` writes."""
        return self.to_dict()

    def to_json(self, path: str | Path | None = None) -> str:
        """The result as JSON text, from which ``from_json`` makes an equal result.

        Args:
            path: File to which the text is also written.

        Raises:
            InputError: The file cannot be written.
        """
        text = json.dumps(self.document(), ensure_ascii=False, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    def save_html(self, path: str | Path) -> None:
        """Write a page: one file that opens without a server or a network.

        Raises:
            InputError: The file cannot be written.
        """
        write_text(path, self.to_html())

    def __repr__(self) -> str:
        """The result in one line."""
        return f"<{type(self).__name__}: {self.headline()}>"

    def _repr_html_(self) -> str:
        """The page in a frame, for notebooks."""
        return notebook_frame(self.to_html(), self.headline())


def write_text(path: str | Path, text: str) -> None:
    """Write a file as UTF-8, or leave the old file unchanged.

    Raises:
        InputError: It cannot be written.
    """
    write_whole(path, text.encode())


def read_document(source: str | Path | Mapping[str, Any], schema: str) -> dict[str, Any]:
    """Read a document and check its schema.

    Args:
        source: A file, JSON text (which begins with a brace), or the document itself.
        schema: The schema that it must have.

    Raises:
        InputError: It cannot be read, is not JSON, or has another schema.
    """
    if isinstance(source, Mapping):
        found: Any = dict(source)
    else:
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        what = "the JSON text" if is_text else str(source)
        try:
            found = json.loads(str(source) if is_text else read_text(source))
        except InputError:
            raise
        except (ValueError, RecursionError) as error:
            raise InputError(f"{what} is not valid JSON: {error}; write it again") from None
    given = found.get("schema") if isinstance(found, dict) else None
    if given != schema:
        raise InputError(f"the document has schema {given!r}, not {schema!r}; write it by to_json")
    return found


def plain(value: Any) -> Any:
    """Values that JSON can hold: arrays become lists, NaN and infinities None, the rest text."""
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        value = value.tolist() if value.dtype.kind in "biufSU" else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def exact(values: np.ndarray) -> list[Any]:
    """Nested lists of numbers, from which `as_array` makes the same array; NaN becomes None."""
    digits = 9 if values.dtype.itemsize <= 4 else 17

    def number(value: float) -> float | str | None:
        if math.isfinite(value):
            return float(f"{value:.{digits}g}")
        return None if math.isnan(value) else str(value)

    def rows(part: Any) -> Any:
        return [rows(one) for one in part] if isinstance(part, list) else number(part)

    return rows(values.tolist())


def as_array(values: Any, dtype: str) -> np.ndarray:
    """The array from the lists that `exact` made."""

    def rows(part: Any) -> Any:
        if isinstance(part, list):
            return [rows(one) for one in part]
        return math.nan if part is None else float(part)

    return np.array(rows(values), dtype)


def pack(values: Any) -> dict[str, Any]:
    """An array as compressed bytes in base64."""
    array = np.ascontiguousarray(np.asarray(values))
    array = array.astype(array.dtype.newbyteorder("<"))
    data = base64.b64encode(zlib.compress(array.tobytes(), 6)).decode()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "zlib": data}


def unpack(packed: Mapping[str, Any]) -> np.ndarray:
    """The array that `pack` packed, which never unpacks to more bytes than its shape says."""
    dtype, shape = np.dtype(packed["dtype"]), tuple(packed["shape"])
    if dtype.kind not in "biuf" or any(not isinstance(n, int) or n < 0 for n in shape):
        raise ValueError(f"an array of {dtype} {shape}")
    size = math.prod(shape) * dtype.itemsize
    data = zlib.decompressobj().decompress(base64.b64decode(packed["zlib"]), size + 1)
    if len(data) != size:
        raise ValueError(f"an array of shape {shape} with {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape).copy()
