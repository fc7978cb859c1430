"""The table of published series: the default beside its baselines, peers and papers."""

from typing import NamedTuple

import numpy as np

from benchmarks.lagged.generated import GENERATED, kind_of
from benchmarks.lagged.published import HELD_BACK, PUBLISHED
from benchmarks.lagged.study import latest

BASELINES = ("var", "lasso", "pcmci")
"""What the default must not fall behind."""
MARGIN = 0.01
SOURCES = (
    "lorenz96",
    "lotka-volterra",
    "cdml",
    "netsim",
    "it ",
    "flood, 42",
    "flood, 5",
    "dream3",
    "finance",
    "tcd-arena",
    "rivers",
)
"""Beginnings of the names of series that were made in one place."""
Q = "q=0.1"


class Reported(NamedTuple):
    """AUROC that a paper reports, and whether its settings were chosen by the true graph."""

    figure: str
    source: str
    tuned: str


GVAR = "Marcinkevics & Vogt (2021), Interpretable models for Granger causality"
RIVERS = "Stein et al. (2025), CausalRivers"
JRNGC = "Zhou et al. (2024), Jacobian regularizer-based neural Granger causality"
REPORTED = {
    "lorenz96 F=10": Reported("cMLP, eSRU, GVAR .95 to 1.0", GVAR, "on the truth"),
    "lotka-volterra": Reported("GVAR .991, cMLP .835, eSRU .817, TCDF .658", GVAR, "on the truth"),
    "flood, 5": Reported("VAR .83, DYNOTEARS .80, PCMCI .60 (all subgraphs)", RIVERS, "not said"),
    "dream3 100, 0": Reported("JRNGC-F .666", JRNGC, "on the truth"),
}
CHOSEN_ON = (
    "the evidence, its penalties and the thresholds of stacking were chosen with all series in "
    "view but those that are held back"
)
NOTES = {
    "figures": "means over the keys; summary graphs without edges from a variable to itself, CDML "
    "and TCD-Arena every lag",
    "graph": "F1, precision, recall, SHD and edges of the graph at q=0.1; one graph for all of "
    "VARLiNGAM, lasso, Granger and tigramite's PCMCI+",
    "chosen on": CHOSEN_ON,
    "generated": "CausalCompass (Yi et al. 2026): 10 variables, 500 rows, seeds 0-2 in view and 10-"
    "12 held back; DoTime: seeds 0-19 in view, 20-39 held back; CausalDynamics (Herdeanu et al. "
    "2025), flows of three variables and five coupled ones, 1000 rows, those with noise 0 in view; "
    "one key",
    "seconds": "of both false-discovery rates together, other work running beside; compilation "
    "included",
}


def published_rows(lines: list[dict]) -> list[dict]:
    """The comparison with the baselines, then one row per series and method."""
    gathered: dict[tuple[str, str], list[dict]] = {}
    for line in latest(lines):
        if line["setting"] in PUBLISHED | GENERATED:
            who = line.get("answer", line["method"])
            gathered.setdefault((line["setting"], who), []).append(line)
    made = [{"table": "Protocol", "what": what, "how": how} for what, how in NOTES.items()]
    compared = [_compared(name, gathered) for name in PUBLISHED]
    made += _overall([row for row in compared if row])
    made += _by_source([row for row in compared if "difference" in row])
    made += _by_other(gathered)
    made += _generated(gathered)
    made += [row for row in compared if row]
    for name in PUBLISHED:
        for (setting, who), group in gathered.items():
            if setting == name:
                made.append(_row(name, who, group))
    return made


def _compared(name: str, gathered: dict[tuple[str, str], list[dict]]) -> dict:
    """AUROC of the default, of the best baseline, and what a paper reports."""
    scored = {who: _mean(group, "AUROC") for (setting, who), group in gathered.items()
              if setting == name}  # fmt: skip
    if "default" not in scored:
        return {}
    baselines = {who: scored[who] for who in BASELINES if scored.get(who) is not None}
    row = {"table": "The default beside its best baseline (AUROC)", "series": name}
    row |= {"held back": "yes"} if name in HELD_BACK else {}
    row |= {"default": scored["default"], "keys": len(gathered[name, "default"])}
    if baselines and scored["default"] is not None:
        best = max(baselines, key=lambda who: baselines[who])
        row |= {"best baseline": baselines[best], "which": best}
        row["difference"] = scored["default"] - baselines[best]
    for stem, reported in REPORTED.items():
        if name == stem or (name.startswith(stem) and stem[-1:] not in "0123456789"):
            row |= reported._asdict()
    if name.startswith("flood, 5"):
        row |= REPORTED["flood, 5"]._asdict()
    return row


def _overall(compared: list[dict]) -> list[dict]:
    """How often and how far the default is behind, on series in view and on those held back."""
    made = []
    for held_back in (False, True):
        rows = [r for r in compared if "difference" in r and ("held back" in r) is held_back]
        if not rows:
            continue
        differences = np.array([row["difference"] for row in rows])
        flood = [row["default"] for row in rows if row["series"].startswith("flood, 5")]
        row = {"table": "Overall", "series": "held back" if held_back else "in view"}
        row |= {"number": len(rows), "mean difference of AUROC": float(differences.mean())}
        row |= {"behind by > .01": int((differences < -MARGIN).sum())}
        row |= {"worst": float(differences.min())}
        made.append(row | ({"5 gauges, mean AUROC": float(np.mean(flood))} if flood else {}))
    return made


def _by_source(compared: list[dict]) -> list[dict]:
    """Means over the series of one source; in small systems a single pair moves AUROC by .05."""
    sources: dict[str, list[dict]] = {}
    for row in compared:
        source = next(s for s in SOURCES if row["series"].startswith(s))
        sources.setdefault(source, []).append(row)
    return [
        {
            "table": "By source (mean AUROC)",
            "series": source,
            "number": len(rows),
            "default": float(np.mean([row["default"] for row in rows])),
            "best baseline": float(np.mean([row["best baseline"] for row in rows])),
            "behind by > .01": sum(row["difference"] < -MARGIN for row in rows),
        }
        for source, rows in sources.items()
    ]


def _by_other(gathered: dict[tuple[str, str], list[dict]]) -> list[dict]:
    """Of each other method the means over the published series that it finished, and of ours."""
    made = []
    for who in dict.fromkeys(who for _, who in gathered if who not in ("default", "random")):
        both = {
            name: (_mean(gathered[name, "default"], "AUROC"), _mean(gathered[name, who], "AUROC"))
            for name in PUBLISHED
            if (name, "default") in gathered and (name, who) in gathered
        }
        pairs = np.array([pair for pair in both.values() if None not in pair], float)
        if not pairs.size:
            continue
        ours, theirs = pairs.T
        row = {"table": "By method (mean AUROC)", "method": who, "series": len(pairs)}
        row |= {"default": float(ours.mean()), "AUROC": float(theirs.mean())}
        made.append(row | {"default behind by > .01": int((ours - theirs < -MARGIN).sum())})
    return made


def _generated(gathered: dict[tuple[str, str], list[dict]]) -> list[dict]:
    """Means over the generated series of a scenario, of all methods that finished all of them."""
    kinds: dict[tuple[str, bool], list[str]] = {}
    for name in GENERATED:
        if (name, "default") in gathered:
            kinds.setdefault(kind_of(name), []).append(name)
    made = []
    for (kind, held_back), names in kinds.items():
        for who in ("default", *BASELINES):
            lines = [line for name in names for line in gathered.get((name, who), [])]
            if len(lines) < len(names) or any("answer" not in line for line in lines):
                continue
            row = {"table": "Generated series (means)", "series": kind, "number": len(names)}
            row |= {"held back": "yes"} if held_back else {}
            row |= {"method": who, "AUROC": _mean(lines, "AUROC"), "AUPRC": _mean(lines, "AUPRC")}
            row |= {"F1": _mean(lines, f"F1 {Q}"), "false share": _mean(lines, f"FDP {Q}")}
            made.append(row | {"edges": _mean(lines, f"edges {Q}")})
    return made


def _row(name: str, who: str, group: list[dict]) -> dict:
    finished = [line for line in group if "answer" in line]
    row = {"table": name, "method": who, "keys": len(finished)}
    if not finished:
        return row | {"note": group[-1].get("skipped") or group[-1].get("failed", "")}
    row |= {"AUROC": _mean(finished, "AUROC"), "AUPRC": _mean(finished, "AUPRC")}
    edges, false = _mean(finished, f"edges {Q}"), _mean(finished, f"FDP {Q}")
    row |= {"F1": _mean(finished, f"F1 {Q}"), "false share": false}
    right = [line[f"edges {Q}"] * (1 - line[f"FDP {Q}"]) for line in finished]
    if edges:
        row["precision"] = float(np.sum(right) / np.sum([x[f"edges {Q}"] for x in finished]))
    row["recall"] = float(np.mean(right)) / max(finished[0]["true edges"], 1)
    row |= {"SHD": _mean(finished, "SHD"), "edges": edges}
    row |= {"true edges": finished[0]["true edges"], "seconds": _mean(finished, "seconds")}
    return row


def _mean(group: list[dict], name: str) -> float | None:
    values = [line[name] for line in group if line.get(name) is not None]
    return float(np.mean(values)) if values else None
