"""The files of explanations."""

from collections.abc import Sequence
from pathlib import Path

from jaxcause.io import filled_at_once
from jaxcause.report import index_page
from jaxcause.workflows._explain.result import TextExplanation


def write_explanation(found: TextExplanation, folder: str | Path) -> list[str]:
    """Write one explanation: JSON, a page and, if matplotlib is installed, a picture.

    Either all files are written or none.

    Args:
        found: What `explain` returned.
        folder: Created if it does not exist; files of the same names are replaced.

    Returns:
        The names of the files: ``explanation.json``, ``explanation.html``, ``explanation.png``.

    Raises:
        InputError: The folder cannot be written to.
    """
    with filled_at_once(folder) as scratch:
        _write(found, scratch, "explanation")
        return sorted(file.name for file in scratch.iterdir())


def write_explanations(found: Sequence[TextExplanation], folder: str | Path) -> list[str]:
    """Write numbered files for many explanations, and an ``index.html`` that lists them."""
    width = len(str(len(found)))
    with filled_at_once(folder) as scratch:
        rows = []
        for number, one in enumerate(found, start=1):
            stem = f"explanation-{number:0{width}d}"
            _write(one, scratch, stem)
            first = one.explanations.found[:1]
            rows.append(
                {
                    "href": f"{stem}.html",
                    "text": one.text,
                    "output": one.output,
                    "tokens": [one.tokens[node] for node in first[0].nodes] if first else None,
                    "n_queries": one.explanations.n_queries,
                    "status": one.explanations.status,
                }
            )
        (scratch / "index.html").write_text(index_page(rows), encoding="utf-8")
        return sorted(file.name for file in scratch.iterdir())


def _write(found: TextExplanation, folder: Path, stem: str) -> None:
    found.to_json(folder / f"{stem}.json")
    found.save_html(folder / f"{stem}.html")
    try:
        figure = found.plot().get_figure(root=True)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        return
    assert figure is not None
    figure.savefig(folder / f"{stem}.png", dpi=150, bbox_inches="tight")
