"""``python -m benchmarks NAME [--data DIR] [--out DIR] [--quick]``."""

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax

from benchmarks import (
    architectures,
    attention,
    bridge,
    calibration,
    claims,
    collinear,
    core,
    faults,
    first,
    flow,
    holes,
    intervention,
    lagged,
    large,
    memory,
    models,
    order,
    pcmci,
    regimes,
    responses,
    scale,
    short,
    stability,
    training,
    variance,
)
from benchmarks.cleann import recommendation, sentiment
from jaxcause._version import version_of

STUDIES = {
    "core": lambda given: core.run(
        given.data, prototype=given.prototype, quick=given.quick, only=given.only
    ),
    "architectures": lambda given: architectures.run(quick=given.quick),
    "attention": lambda given: attention.run(given.data, quick=given.quick),
    "bridge": lambda given: bridge.run(quick=given.quick),
    "claims": lambda given: claims.run(given.out, quick=given.quick),
    "calibration": lambda given: calibration.run(quick=given.quick, only=given.only),
    "collinear": lambda given: collinear.run(),
    "faults": lambda given: faults.run(quick=given.quick),
    "first": lambda given: first.run(given.data, quick=given.quick, only=given.only),
    "flow": lambda given: flow.run(given.data),
    "holes": lambda given: holes.run(quick=given.quick),
    "intervention": lambda given: intervention.run(quick=given.quick),
    "lagged": lagged.run,
    "large": lambda given: large.run(quick=given.quick, only=given.only),
    "memory": lambda given: memory.run(),
    "models": lambda given: models.run(),
    "order": lambda given: order.run(),
    "published": lagged.run_published,
    "pcmci": lambda given: pcmci.run(quick=given.quick),
    "regimes": lambda given: regimes.run(quick=given.quick),
    "responses": lambda given: responses.run(quick=given.quick),
    "scale": lambda given: scale.run(quick=given.quick),
    "short": lambda given: short.run(quick=given.quick),
    "stability": lambda given: stability.run(quick=given.quick),
    "training": lambda given: training.run(quick=given.quick),
    "variance": lambda given: variance.run(quick=given.quick),
    "cleann_sentiment": lambda given: sentiment.run(given.data, given.out, quick=given.quick),
    "cleann_recommendation": lambda given: recommendation.run(
        given.data, given.out, quick=given.quick
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=STUDIES)
    parser.add_argument(
        "--data", type=Path, help="folder with rivers/, lorenz96/, nci60_59x1190.csv and so on"
    )
    parser.add_argument("--prototype", type=Path, help="core: a skeleton search to compare with")
    parser.add_argument("--quick", action="store_true", help="leave out the slowest")
    parser.add_argument(
        "--only",
        default="",
        help="core: sections, such as skeletons,ICD; first: words of titles; large: functions",
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    lagged.add_arguments(parser)
    arguments = parser.parse_args()
    rows = STUDIES[arguments.name](arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    document = {
        "command": f"python -m benchmarks {arguments.name}"
        + " --quick" * arguments.quick
        + f' --only "{arguments.only}"' * bool(arguments.only),
        "machine": machine(),
        "rows": rows,
    }
    target = arguments.out / arguments.name
    target.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    target.with_suffix(".md").write_text(as_markdown(rows, document))
    print(target.with_suffix(".md").read_text())


def machine() -> dict[str, str | int | None]:
    """The machine and the versions with which the figures were measured."""
    return {
        "device": jax.devices()[0].device_kind,
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "jax": version("jax"),
        "jaxcause": version_of("jaxcause"),
    }


def as_markdown(rows: list[dict], document: dict) -> str:
    """The rows as one table, or as one table for each value of "table"."""
    where = ", ".join(f"{k} {v}" for k, v in document["machine"].items())
    parts = [f"`{document['command']}` ({where})"]
    for title in dict.fromkeys(row.get("table", "") for row in rows):
        chosen = [row for row in rows if row.get("table", "") == title]
        columns = list(dict.fromkeys(key for row in chosen for key in row if key != "table"))
        lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        for row in chosen:
            lines.append("| " + " | ".join(_cell(row.get(c, "")) for c in columns) + " |")
        parts += [f"## {title}"] * bool(title) + ["\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
