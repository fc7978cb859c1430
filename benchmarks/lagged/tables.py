"""Tables and pictures of the results."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks.lagged import settings
from benchmarks.lagged.study import latest

SHOWN = (
    "F1@3",
    "F1 true number",
    "AUROC",
    "AUPRC",
    "F1 q=0.1",
    "FDP q=0.1",
    "FDP --> q=0.1",
    "FDP marks q=0.1",
    "told",
    "searched",
    "edges q=0.1",
    "true edges",
    "F1 q=0.05",
    "FDP q=0.05",
    "edges q=0.05",
    "SHD",
    "F1 marks",
    "F1 directed",
    "seconds",
    "CPU s",
    "MiB",
    "device MiB",
)
PROTOCOL = {
    "figures": "means over the seeds; lagged edges only, but for F1 marks (an edge is right if "
    "both its marks are; lag 0 and <-> count) and F1 directed (lag 0 counts)",
    "F1@3": "the three best-scored parents of every variable",
    "F1 true number": "as many best-scored edges as there are",
    "q": "false-discovery rate asked for; VARLiNGAM, Granger and tigramite's PCMCI+ have one graph "
    "for all",
    "FDP -->": "searched graphs: of the edges --> alone, where FDP counts o-> as an edge, too, and "
    "as false on a hidden cause",
    "FDP marks": "hidden causes searched: edges of any mark that contradict the maximal ancestral "
    "graph of the observed variables (no edge there, or another mark), which is all that data tell",
    "oracle": "the search without instruments where no test errs: what o-> it leaves however long "
    "the series",
    "told": "share of the runs whose notes say that errors of the same step correlate, so that "
    "edges may be false",
    "searched": "share of the runs in which the default searched its edges again, because long "
    "series showed hidden causes or effects within a step",
    "SHD": "of the graph at q=0.1",
    "published series": "summary graphs without edges from a variable to itself, CDML every lag",
    "MiB": "peak of the process, with Python, JAX and the series",
    "seconds": "of the method, compilation included (with --in-process only in the first run of a "
    "shape); of a trained one, all its readouts together",
}


def rows(lines: list[dict], preset: str) -> list[dict]:
    """One row per setting and answer."""
    peers = ", ".join(
        f"{name} {_version(name)}" for name in ("tigramite", "lingam", "causal-learn")
    )
    made = [
        {"table": "Protocol", "what": what, "how": how}
        for what, how in ({"size": preset, "peers": peers} | PROTOCOL).items()
    ]
    gathered: dict[tuple[str, str], list[dict]] = {}
    for line in latest(lines):
        who = line.get("answer", line["method"])
        gathered.setdefault((line["setting"], who), []).append(line)
    order = {name: place for place, name in enumerate(settings.names())}
    for setting, who in sorted(gathered, key=lambda key: order.get(key[0], len(order))):
        if setting not in order:
            continue
        group = gathered[setting, who]
        finished = [line for line in group if "answer" in line]
        row = {"table": settings.table_of(setting), "setting": setting, "method": who}
        row["seeds"] = len(finished)
        for name in SHOWN:
            values = [line[name] for line in finished if name in line]
            if values:
                row[name] = float(np.mean(values))
        if not finished:
            row["note"] = group[-1].get("skipped") or group[-1].get("failed", "")
        made.append(row)
    return made


def scaling_plots(made: list[dict], folder: Path, stem: str) -> list[Path]:
    """AUROC and F1 at the true number of edges by length and by number of regimes, if available."""
    try:
        import matplotlib as mpl
    except ImportError:
        return []
    mpl.use("agg")
    from matplotlib import pyplot as plt

    written = []
    for name, label, points in _axes(made):
        if len({x for x, _ in points}) < 2:
            continue
        figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for panel, measure in zip(panels, ("AUROC", "F1 true number"), strict=True):
            for method in dict.fromkeys(row["method"] for _, row in points):
                some = sorted(
                    (x, row[measure])
                    for x, row in points
                    if row["method"] == method and measure in row
                )
                if some:
                    panel.plot(*zip(*some, strict=True), marker="o", label=method)
            panel.set(xlabel=label, ylabel=measure, xscale="log", ylim=(0, 1.02))
        panels[0].legend(fontsize="x-small")
        path = folder / f"{stem}_{name}.png"
        figure.savefig(path, dpi=120)
        plt.close(figure)
        written.append(path)
    return written


def _axes(made: list[dict]):
    preset = next(row["how"] for row in made if row.get("what") == "size")
    reported = [row for row in made if row.get("seeds")]
    for function in ("pl+m", "mlp_additive"):
        chosen = [r for r in reported if r["setting"].split(", ")[0] == function]
        points = [(settings.sizes(r["setting"], preset)[2], r) for r in chosen]
        yield f"length_{function.replace('+', '_')}", f"length T ({function})", points
    regimes = [r for r in reported if r["setting"].startswith("domains=") or r["setting"] == "n=10"]
    yield (
        "regimes",
        "number of regimes",
        [(int(r["setting"].split("=")[1]) if r["setting"] != "n=10" else 1, r) for r in regimes],
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
