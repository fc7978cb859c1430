"""The files of a discovery."""

import csv
from pathlib import Path

import numpy as np

from jaxcause.io import filled_at_once, write_graph
from jaxcause.workflows._result import Discovery


def write_discovery(found: Discovery, folder: str | Path) -> list[str]:
    """Write graph, edges, scores and three pictures; all of them or none.

    Args:
        found: What `discover` returned.
        folder: Made if needed; files of the same names are replaced.

    Returns:
        The names of the files: ``graph.json``, ``edges.csv``, ``scores.npz``, with matplotlib also
        ``graph.png`` (time-series graph), ``summary.png`` (summary graph with lags) and
        ``scores.png`` (heat map per lag), and with a forecaster ``forecaster.safetensors``.

    Raises:
        InputError: The folder cannot be written to.
    """
    with filled_at_once(folder) as scratch:
        details = {"names": found.names, "scores": found.scores, "strength": found.strength}
        write_graph(scratch / "graph.json", found.graph, **details)
        _write_edges(scratch / "edges.csv", found)
        np.savez_compressed(
            scratch / "scores.npz",
            scores=np.asarray(found.scores),
            strength=np.asarray(found.strength),
            marks=np.asarray(found.graph.marks),
            names=np.array(found.names),
        )
        if found.forecaster is not None:
            found.forecaster.save(scratch / "forecaster.safetensors")
        try:
            _draw(scratch, found)
        except ModuleNotFoundError as error:
            if error.name != "matplotlib":
                raise
            found.info["notes"].append(
                'No pictures without matplotlib: pip install "jaxcause[plot]".'
            )
        names = sorted(file.name for file in scratch.iterdir())
    return names


def _write_edges(path: Path, found: Discovery) -> None:
    table = found.table
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.dtype.names or ())
        for row in table.tolist():
            writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])


def _draw(folder: Path, found: Discovery) -> None:
    from jaxcause import plot

    strength = np.asarray(found.strength)
    pictures = {
        "graph.png": lambda: plot.time_series_graph(
            found.graph, names=found.names, strength=strength
        ),
        "summary.png": lambda: plot.summary_graph(
            found.graph, names=found.names, strength=strength
        ),
        "scores.png": lambda: plot.score_heatmap(
            strength,
            names=found.names,
            graph=found.graph,
            label=found.info["strength"].split(":")[0],
        ),
    }
    for name, draw in pictures.items():
        figure = draw().get_figure(root=True)
        assert figure is not None
        figure.savefig(folder / name, dpi=150, bbox_inches="tight")
