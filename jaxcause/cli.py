"""The command line: ``jaxcause discover``, ``jaxcause explain`` and ``jaxcause demo``.

Nothing heavy is imported before a command runs, so ``--help`` answers at once.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcause._errors import InputError

if TYPE_CHECKING:
    from jaxcause.workflows import Discovery, DiscoveryInterrupted

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
SHOWN_EDGES = 20


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code (2 for bad input, 130 when interrupted)."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except InputError as error:
        print(f"jaxcause: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt as interrupt:
        print(f"jaxcause: {interrupt or 'interrupted'}", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jaxcause", description="Causal graphs from Transformers, over one search core in JAX."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_discover(commands)
    _add_explain(commands)
    _add_demo(commands)
    return parser


def _add_discover(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    discover = commands.add_parser(
        "discover",
        help="learn the lagged causal graph of a series in a CSV file",
        description="Learn which column drives which, at which lag.",
        epilog="example: jaxcause discover rivers.csv --max-lag 3 --out rivers-graph",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = discover.add_argument
    add("series", metavar="SERIES.csv", type=Path, help="one header line, one row per time step")
    add("--max-lag", type=int, default=5, metavar="L", help="longest lag, in rows")
    add("--out", type=Path, default=Path("jaxcause-out"), metavar="DIR", help="where to write")
    add("--method", choices=("gradient", "pc", "var"), default="gradient", help="how to find edges")
    add("--q", type=float, default=0.1, help="false-discovery rate (gradient, var)")
    add("--alpha", type=float, default=0.01, help="significance level (pc)")
    add("--top-k", type=int, metavar="K", help="keep K parents per variable instead (gradient)")
    add(
        "--transform",
        choices=("auto", "standardise", "log", "copula"),
        default="auto",
        help="of each column",
    )
    add("--steps", type=int, help="training steps (default: from the length of the series)")
    add("--seed", type=int, default=0, help="random seed")
    add("--time-column", metavar="NAME", help="the time column, if it is not recognised")
    add(
        "--drop",
        action="append",
        default=[],
        metavar="NAME",
        help="leave a column out (repeatable)",
    )
    add(
        "--forecaster",
        type=Path,
        metavar="FILE",
        help="use this trained forecaster instead of training",
    )
    add("--quiet", action="store_true", help="no progress bar and no table")
    discover.set_defaults(run=_discover)


def _add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    explain = commands.add_parser(
        "explain",
        help="explain a Transformer's output by a causal graph over the tokens of a text",
        description="Read attention as a causal graph over tokens, and find the smallest set of "
        "tokens whose removal changes the output.",
        epilog="example: jaxcause explain --model ./sentiment-model "
        '--text "the plot is thin but the acting is superb" --out why',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = explain.add_argument
    add("--model", required=True, metavar="DIR", help="Hugging Face folder, or a name on the hub")
    given = explain.add_mutually_exclusive_group(required=True)
    given.add_argument("--text", metavar="TEXT", help="the text")
    given.add_argument("--file", type=Path, metavar="FILE", help="one text per line")
    add("--out", type=Path, default=Path("jaxcause-why"), metavar="DIR", help="where to write")
    add("--target", metavar="WORD", help="word to mask and explain (masked-language models)")
    add("--layer", type=int, default=-1, help="layer whose attention is read; -1 is the deepest")
    add("--heads", choices=("union", "mean"), default="union", help="graphs that explain")
    add("--units", choices=("tokens", "words"), default="tokens", help="nodes of the graph")
    add("--alpha", type=float, default=0.01, help="significance level")
    add("--n-samples", type=int, metavar="N", help="samples behind the tests (default: the width)")
    add("--one-sided", action="store_true", help="negative correlations count as none")
    add("--intervention", choices=("mask", "pad", "delete"), help="how tokens are removed")
    add("--max-size", type=int, default=4, metavar="K", help="most tokens of an explanation")
    add("--all", action="store_true", help="find all minimal explanations, not only the first")
    add("--max-queries", type=int, default=500, metavar="Q", help="most questions to the model")
    add("--time-limit", type=float, metavar="SECONDS", help="stop asking after that")
    add("--quiet", action="store_true", help="no progress bar, and no sentences")
    explain.set_defaults(run=_explain)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser(
        "demo",
        help="discover a simulated nonlinear system and compare with its known graph",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    demo.add_argument(
        "--out", type=Path, default=Path("jaxcause-demo"), metavar="DIR", help="where to write"
    )
    demo.add_argument("--seed", type=int, default=0, help="random seed")
    demo.add_argument("--quiet", action="store_true", help="no progress bar and no table")
    demo.set_defaults(run=_demo)


def _version() -> str:
    from importlib.metadata import version

    return f"jaxcause {version('jaxcause')}"


def _discover(arguments: argparse.Namespace) -> int:
    from jaxcause.io import check_writable, read_csv

    table = read_csv(arguments.series, time_column=arguments.time_column, drop=arguments.drop)
    check_writable(arguments.out)
    import jax

    from jaxcause.attribution import select_top_k
    from jaxcause.training import TrainingConfig
    from jaxcause.workflows import (
        DiscoveryInterrupted,
        TrainedForecaster,
        discover,
        write_discovery,
    )

    top_k = arguments.top_k
    forecaster = (
        None if arguments.forecaster is None else TrainedForecaster.load(arguments.forecaster)
    )
    try:
        found = discover(
            table,
            arguments.max_lag,
            method=arguments.method,
            key=jax.random.key(arguments.seed),
            q=arguments.q,
            alpha=arguments.alpha,
            select=None if top_k is None else lambda scores: select_top_k(scores, top_k),
            transform=arguments.transform,
            training=None if arguments.steps is None else TrainingConfig(n_steps=arguments.steps),
            forecaster=forecaster,
            progress=not arguments.quiet,
        )
    except DiscoveryInterrupted as interrupt:
        return _keep(interrupt, arguments.out)
    files = write_discovery(found, arguments.out)
    if not arguments.quiet:
        _print_edges(found)
        _print_notes(found)
    print(f"Wrote {', '.join(files)} to {arguments.out}")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from jaxcause.io import check_writable

    texts = [arguments.text] if arguments.file is None else _lines(arguments.file)
    check_writable(arguments.out)
    from tqdm import tqdm

    from jaxcause.workflows import TextModel, explain, write_explanation, write_explanations

    model = TextModel.load(arguments.model)
    found = []
    for text in tqdm(texts, disable=arguments.quiet or len(texts) == 1, unit="text"):
        found.append(
            explain(
                model,
                text,
                arguments.target,
                layer=arguments.layer,
                heads=arguments.heads,
                units=arguments.units,
                alpha=arguments.alpha,
                n_samples=arguments.n_samples,
                one_sided=arguments.one_sided,
                intervention=arguments.intervention,
                max_size=arguments.max_size,
                every=arguments.all,
                max_queries=arguments.max_queries,
                time_limit=arguments.time_limit,
            )
        )
    one = len(found) == 1
    files = write_explanation(found[0], arguments.out) if one else None
    if files is None:
        files = write_explanations(found, arguments.out)
    if not arguments.quiet:
        for explanation in found:
            for sentence in explanation.sentences():
                print(sentence)
    shown = ", ".join(files) if one else f"index.html and {len(files) - 1} more files"
    print(f"Wrote {shown} to {arguments.out}")
    return 0


def _lines(path: Path) -> list[str]:
    """The texts of a file, one per line."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"--file {path} cannot be read ({error.strerror}); check the path"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"--file {path} is not UTF-8 text; save it as UTF-8") from None
    texts = [line.strip() for line in content.splitlines() if line.strip()]
    if not texts:
        raise InputError(f"--file {path} holds no text; put one text on each line")
    return texts


def _demo(arguments: argparse.Namespace) -> int:
    from jaxcause.io import check_writable

    check_writable(arguments.out)
    from jaxcause.workflows import DiscoveryInterrupted, run_demo, write_discovery

    try:
        demo = run_demo(seed=arguments.seed, progress=not arguments.quiet)
    except DiscoveryInterrupted as interrupt:
        return _keep(interrupt, arguments.out)
    files = write_discovery(demo.found, arguments.out)
    if not arguments.quiet:
        _print_edges(demo.found)
        _print_notes(demo.found)
    print("\nAgainst the known graph    precision  recall     F1")
    for name, scores in demo.comparison.items():
        print(f"{name:<25}{scores.precision:>11.3f}{scores.recall:>8.3f}{scores.f1:>7.3f}")
    print(f"Wrote {', '.join(files)} to {arguments.out} in {demo.seconds:.0f} s altogether")
    return 0


def _keep(interrupt: "DiscoveryInterrupted", folder: Path) -> int:
    """Save what was trained so far, and say so."""
    kept = folder / "forecaster.safetensors"
    interrupt.forecaster.save(kept)
    print(f"jaxcause: {interrupt} in {kept}; --forecaster {kept} reads its graph", file=sys.stderr)
    return EXIT_INTERRUPTED


def _print_edges(found: "Discovery") -> None:
    table = found.table
    width = max(6, *(len(name) for name in found.names))
    print(f"{'source':<{width}}  lag  edge  {'target':<{width}}  strength")
    for source, target, lag, edge, _, strength in table[:SHOWN_EDGES].tolist():
        print(f"{source:<{width}}  {lag:>3}  {edge}   {target:<{width}}  {strength:>8.3f}")
    if len(table) > SHOWN_EDGES:
        print(f"… and {len(table) - SHOWN_EDGES} more in edges.csv")
    if len(table) == 0:
        print("(no edge)")


def _print_notes(found: "Discovery") -> None:
    for note in found.info["notes"]:
        print(f"- {note}")
