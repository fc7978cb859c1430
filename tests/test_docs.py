"""The pages: their examples run, their commands parse, their names and links exist."""

import ast
import doctest
import json
import re
import shlex
from pathlib import Path

import pytest

import jaxcause as jc
from jaxcause.cli._main import build_parser

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "_build" not in page.parts
)
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def fences(page):
    """Language and code of every fenced block."""
    language, lines = None, []
    for line in page.read_text(encoding="utf-8").splitlines():
        if language is None and line.startswith("```"):
            language, lines = line.removeprefix("```").strip(), []
        elif language is not None and line == "```":
            yield language, "\n".join(lines)
            language = None
        else:
            lines.append(line)


def blocks(page, *languages):
    """The code of the fenced blocks of some languages."""
    return [code for language, code in fences(page) if language in languages]


WITH_DOCTESTS = [page for page in PAGES if blocks(page, "pycon")]


@pytest.mark.parametrize("page", WITH_DOCTESTS, ids=lambda page: page.stem)
def test_what_pages_show_is_what_comes_out(page):
    code = "\n\n".join(blocks(page, "pycon"))
    test = doctest.DocTestParser().get_doctest(code, {}, page.stem, str(page), 0)
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_there_are_pages_with_doctests():
    assert len(WITH_DOCTESTS) >= 2


@pages
def test_commands_on_pages_are_understood(page):
    for line in "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines():
        for part in re.split(r" && | \| ", line.split("  #")[0]):
            words = shlex.split(part.split(" > ")[0], comments=True)
            if words[:1] == ["jaxcause"] and "--help" not in words and "--version" not in words:
                build_parser().parse(words[1:])


@pages
def test_python_on_pages_is_python_and_its_names_exist(page):
    for code in blocks(page, "python"):
        ast.parse(code)
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"\bjc((?:\.[A-Za-z_]\w*)+)", text):
        found = jc
        for name in path.split(".")[1:]:
            assert hasattr(found, name), f"jc{path}"
            found = getattr(found, name)
            if not hasattr(found, "__path__") and not isinstance(found, type(jc)):
                break


@pages
def test_links_on_pages_lead_to_files(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|mailto:|#", target):
            continue
        assert (page.parent / target.split("#")[0]).exists(), target


def test_every_module_has_a_page_in_the_reference():
    index = (ROOT / "docs" / "api" / "index.md").read_text(encoding="utf-8")
    stub = (ROOT / "jaxcause" / "__init__.pyi").read_text(encoding="utf-8")
    for name in re.findall(r"^from jaxcause import (\w+)", stub, flags=re.MULTILINE):
        page = (ROOT / "docs" / "api" / f"{name}.md").read_text(encoding="utf-8")
        assert f"\n{name}\n" in index
        # A plain module's imports are not its own names.
        is_package = (ROOT / "jaxcause" / name).is_dir()
        assert (":imported-members:" in page) == is_package, name


@pytest.mark.parametrize(
    ("words", "table", "setting"),
    [
        ("linear", "Variables", "n=10"),
        ("piecewise linear and monotonic", "Functions", "pl+m"),
        ("additive neural networks", "Functions", "mlp_additive"),
        ("neural networks that mix parents and noise", "Functions", "mlp_cat"),
        ("5 regimes, their index given to jaxcause", "Regimes", "domains=5"),
        ("5 hidden causes", "Hidden causes", "latents=5"),
        (
            "contemporaneous effects (within one time step)",
            "Instantaneous effects",
            "instantaneous",
        ),
    ],
)
def test_the_results_in_the_readme_are_those_that_were_measured(words, table, setting):
    results = ROOT / "benchmarks" / "results" / "lagged.json"
    measured = {
        row["method"]: row["F1 q=0.1"]
        for row in json.loads(results.read_text(encoding="utf-8"))["rows"]
        if (row["table"], row.get("setting"), row.get("seeds")) == (table, setting, 3)
    }
    ours = "gradient with the regime, default" if table == "Regimes" else "gradient, default"
    methods = (ours, "var", "pcmci")
    expected = [f"{measured[method]:.2f}".removeprefix("0") for method in methods]
    line = f"| {words} | {' | '.join(expected)} |"
    assert line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_a_search_over_the_devices_of_a_mesh_runs_as_shown():
    import jax
    import numpy as np

    page = next(page for page in PAGES if page.stem == "searching")
    shown = next(code for code in blocks(page, "python") if "jax.shard_map" in code)
    given = {
        "jax": jax,
        "jc": jc,
        "n_devices": len(jax.devices()),
        "n_samples": 300,
        "caps": jc.Caps(max_degree=2, max_cond_size=1),
        "corr": np.stack([np.eye(3, dtype=np.float32)] * 2 * len(jax.devices())),
    }
    exec(shown, given)
    assert not np.asarray(given["found"].graph.marks).any()
