"""The files of a discovery."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Shaped

from jaxcause.io import filled_at_once, graph_to_json
from jaxcause.workflows._discover.result import Discovery
from jaxcause.workflows._saved import plain, write_text

_Kind = Literal["time", "summary", "scores"]
_PICTURES: dict[str, _Kind] = {
    "graph.png": "time",
    "summary.png": "summary",
    "scores.png": "scores",
}

NO_PICTURES = 'No pictures without matplotlib: pip install "jaxcause[plot]".'
"""Note where pictures are missing."""


def write_discovery(found: Discovery, folder: str | Path) -> list[str]:
    """Write graph, edges, scores, a page and three pictures; all of them or none.

    Args:
        found: What `discover` returned.
        folder: Made if needed; files of the same names are replaced.

    Returns:
        The names of the files: ``graph.json``, ``edges.csv``, ``candidates.csv`` (the strongest
        links that are no edges), ``scores.npz``, ``report.html`` (a page), with matplotlib also
        ``graph.png`` (time-series graph), ``summary.png`` (summary graph with lags) and
        ``scores.png`` (heat map per lag), and with a forecaster ``forecaster.safetensors``.

    Raises:
        InputError: The folder cannot be written to.
    """
    with filled_at_once(folder) as scratch:
        effects = {} if found.effects is None else found.effects.columns
        details = {"names": found.names, "scores": found.scores, "strength": found.strength}
        details["values"] = found.values
        document = plain(graph_to_json(found.graph, **details))
        write_text(scratch / "graph.json", json.dumps(document, indent=2) + "\n")
        _write_table(scratch / "edges.csv", found.table)
        _write_table(scratch / "candidates.csv", found.candidates)
        arrays: dict[str, Any] = {
            "scores": np.asarray(found.scores),
            "strength": np.asarray(found.strength),
            "marks": np.asarray(found.graph.marks),
            "names": np.array(found.names),
            **effects,
            **_curves(found),
        }
        np.savez_compressed(scratch / "scores.npz", **arrays)
        if found.forecaster is not None:
            found.forecaster.save(scratch / "forecaster.safetensors")
        drawn = _draw(scratch, found)
        (found if drawn else _without_pictures(found)).save_html(scratch / "report.html")
        return sorted(file.name for file in scratch.iterdir())


def _curves(found: Discovery) -> dict[str, np.ndarray]:
    """Deviations and response curves, from which pictures of effects are drawn again."""
    if found.effects is None:
        return {}
    curves = found.effects.curves
    return {
        "deviation": found.effects.deviation,
        "curve_edges": curves.edges,
        "curve_at": curves.at,
        "curve_response": curves.response,
    }


def _write_table(path: Path, table: Shaped[np.ndarray, "rows"]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.dtype.names or ())
        for row in table.tolist():
            writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])


def _draw(folder: Path, found: Discovery) -> bool:
    """Whether the pictures could be drawn: they need matplotlib."""
    try:
        for name, kind in _PICTURES.items():
            figure = found.plot(kind).get_figure(root=True)
            assert figure is not None
            figure.savefig(folder / name, dpi=150, bbox_inches="tight")
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        return False
    return True


def _without_pictures(found: Discovery) -> Discovery:
    """The same, with a note on the missing pictures."""
    info = dataclasses.replace(found.info, notes=(*found.info.notes, NO_PICTURES))
    return dataclasses.replace(found, info=info)
