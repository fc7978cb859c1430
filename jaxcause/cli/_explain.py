"""``jaxcause explain``: the tokens of a text that determine the output of a Transformer."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcause._errors import InputError
from jaxcause.cli._devices import DEVICES, add_processes, joined, mesh_of
from jaxcause.cli._output import complain, report, silent
from jaxcause.cli._parser import (
    Commands,
    Parser,
    add_command,
    add_folder,
    add_output,
    positive,
    share,
    whole,
)

if TYPE_CHECKING:
    from jaxcause.workflows import TextExplanation, TextModel

EXIT_INTERRUPTED = 130
EXIT_BAD_INPUT = 2
"""Also where some texts of a file were left out; the others are written."""

SAME = (
    "layer heads units alpha n_samples one_sided intervention max_size n_larger max_queries "
    "time_limit"
).split()
"""Options with the same name in ``jaxcause.explain``."""

_UNNAMED = (
    "- The model's configuration names no classes (LABEL_0, LABEL_1, …); --labels gives them names."
)


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "explain",
        _explain,
        brief="explain a Transformer's output by a causal graph over the tokens of a text",
        description="Learn a causal graph over tokens from attention, and find the smallest set of "
        "tokens whose removal changes the output.",
        examples=(
            "jaxcause explain --model ./sentiment --text 'a thin plot, superbly acted' --out why",
            "jaxcause explain --model ./sentiment --file reviews.txt --heads mean",
            "jaxcause explain --model ./bert --text 'Paris is the capital of France' "
            "--target France",
        ),
    )
    add = command.add_argument
    add("--model", required=True, metavar="DIR", help="Hugging Face folder, or a name on the hub")
    given = command.add_mutually_exclusive_group(required=True)
    given.add_argument("--text", metavar="TEXT", help="the text")
    given.add_argument("--file", type=Path, metavar="FILE", help="one text per line")
    add_folder(command, "jaxcause-why")
    _add_graph(command)
    _add_queries(command)
    flag, details = DEVICES
    add_processes(command).add_argument(flag, dest="mesh", **details)
    add_output(command)


def _add_graph(command: Parser) -> None:
    add = command.add_argument_group("the graph").add_argument
    add(
        "--layer",
        type=int,
        default=-1,
        help="layer whose attention is read; -1, the default, is the deepest",
    )
    add(
        "--heads",
        choices=("union", "mean"),
        default="union",
        help="use the graphs of all heads (default) or of their mean",
    )
    add(
        "--units",
        choices=("tokens", "words"),
        default="tokens",
        help="nodes of the graph (default: tokens)",
    )
    add("--alpha", type=share, default=0.01, help="significance level (default: 0.01)")
    add(
        "--n-samples",
        type=whole(4),
        metavar="N",
        help="number of samples behind the tests (default: the hidden size of the model)",
    )
    add("--one-sided", action="store_true", help="treat negative correlations as independence")


def _add_queries(command: Parser) -> None:
    add = command.add_argument_group("the model queries").add_argument
    add(
        "--labels",
        metavar="A,B,…",
        help="names of the classes, in their order (default: id2label of the model)",
    )
    add("--target", metavar="WORD", help="word to mask and explain (masked-language models)")
    add("--intervention", choices=("mask", "pad", "delete"), help="how tokens are removed")
    add(
        "--max-size",
        type=whole(1),
        default=4,
        metavar="K",
        help="largest set of tokens that the graph proposes (default: 4)",
    )
    add(
        "--n-larger",
        type=whole(0),
        default=12,
        metavar="Q",
        help="queries kept for larger sets if no smaller set explains (default: 12)",
    )
    add("--all", action="store_true", help="find all minimal explanations, not only the first")
    add(
        "--max-queries",
        type=whole(1),
        default=500,
        metavar="Q",
        help="largest number of model queries (default: 500)",
    )
    add("--time-limit", type=positive, metavar="SECONDS", help="time after which queries stop")


def _explain(arguments: argparse.Namespace) -> int:
    with joined(arguments) as first:
        return _explained(arguments, first=first)


def _explained(arguments: argparse.Namespace, *, first: bool) -> int:
    """Explain all texts; the first process writes what was found and prints it."""
    from jaxcause.io import locked

    texts = {0: arguments.text} if arguments.file is None else _texts(arguments.file)
    with locked(arguments.out) if first else contextlib.nullcontext():
        from jaxcause.workflows import TextModel
        from jaxcause.workflows._cache import kept_programs

        with kept_programs():
            model = TextModel.load(arguments.model, labels=_labels(arguments.labels))
            if (mesh := mesh_of(arguments)) is not None:
                model = model.on(mesh)
            if len(texts) == 1:
                (text,) = texts.values()
                return _explain_one(model, text, arguments, first=first)
            return _explain_many(model, texts, arguments, first=first)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What ``jaxcause.explain`` takes beside model and text."""
    options = {name: getattr(arguments, name) for name in SAME}
    return {"target": arguments.target, "every": arguments.all, **options}


def _explain_one(
    model: "TextModel", text: str, arguments: argparse.Namespace, *, first: bool
) -> int:
    from jaxcause.workflows import explain, write_explanation

    found = explain(model, text, progress=not silent(arguments), **_options(arguments))
    if first:
        files = write_explanation(found, arguments.out)
        _report(model, [found], files, {}, arguments)
    return 0


def _explain_many(
    model: "TextModel", texts: dict[int, str], arguments: argparse.Namespace, *, first: bool
) -> int:
    """Explain each text but for those that an interrupted run has explained; write all at last.

    Several processes, whose queries go together, explain all of them.
    """
    import jax
    from tqdm import tqdm

    from jaxcause.workflows import explain, write_explanations
    from jaxcause.workflows._explain.kept import KeptExplanations

    options, found, refused = _options(arguments), [], {}
    alone = jax.process_count() == 1
    kept = KeptExplanations(arguments.out, model, options)
    done = sum(text in kept for text in texts.values()) if alone else 0
    if done and not arguments.quiet:
        complain(f"{done} of {len(texts)} texts were explained before; going on with the others")
    try:
        for line, text in tqdm(texts.items(), disable=silent(arguments), unit="text"):
            one = kept.load(text) if alone else None
            try:
                if one is None:
                    one = explain(model, text, progress=False, **options)
            except InputError as error:
                refused[line] = str(error)
                if first:
                    complain(f"line {line} of {arguments.file} is left out: {error}")
                continue
            if alone:
                kept.save(text, one)
            found.append(one)
    except KeyboardInterrupt:
        if not found:
            raise
        if first:
            how = "the same command goes on" if alone else "nothing was written"
            complain(f"interrupted after {len(found)} of {len(texts)} texts; {how}")
        return EXIT_INTERRUPTED
    if not found:
        raise InputError(f"--file {arguments.file} holds no text that can be explained")
    if first:
        files = write_explanations(found, arguments.out)
        kept.clear()
        _report(model, found, files, refused, arguments)
    return EXIT_BAD_INPUT if refused else 0


def _report(
    model: "TextModel",
    found: "list[TextExplanation]",
    files: list[str],
    refused: dict[int, str],
    arguments: argparse.Namespace,
) -> None:
    document = {
        "command": "explain",
        "out": arguments.out,
        "files": files,
        "texts": [{"text": f.text, "sentences": f.sentences(), **_counts(f)} for f in found],
        "left_out": [{"line": line, "why": why} for line, why in refused.items()],
    }
    lines = [*_lines(found, arguments.out, files)]
    if model.unnamed_classes:
        lines.insert(-1, _UNNAMED)
    report(arguments, lines, document)


def _counts(found: Any) -> dict[str, Any]:
    sets = [[found.tokens[node] for node in one.nodes] for one in found.explanations.found]
    return {
        "explanations": sets,
        "status": found.explanations.status,
        "queries": found.explanations.n_queries,
    }


def _labels(text: str | None) -> list[str] | None:
    """The names between commas."""
    return None if text is None else [name.strip() for name in text.split(",")]


def _lines(found: list[Any], folder: Path, files: list[str]) -> Iterator[str]:
    many = "index.html" in files
    for explanation in found:
        if many:
            yield f"“{explanation.text}”"
        for sentence in explanation.sentences():
            yield f"  {sentence}" if many else sentence
    shown = f"index.html and {len(files) - 1} more files" if many else ", ".join(files)
    yield f"Wrote {shown} to {folder}"


def _texts(path: Path) -> dict[int, str]:
    """The texts of a file, one per line, by the number of the line."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"--file {path} cannot be read ({error.strerror}); check the path"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"--file {path} is not UTF-8 text; save it as UTF-8") from None
    lines = enumerate(content.splitlines(), start=1)
    texts = {number: line.strip() for number, line in lines if line.strip()}
    if not texts:
        raise InputError(f"--file {path} holds no text; put one text on each line")
    return texts
