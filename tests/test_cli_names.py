"""Names of columns as people write them: arrows, line breaks, none at all, very long ones."""

import csv
import json

import numpy as np
import pytest

import jaxcause as jc
from jaxcause.cli._main import main
from jaxcause.io import read_series
from jaxcause.workflows._discover.candidates import Candidates
from jaxcause.workflows._discover.listing import LONGEST

X = np.random.default_rng(0).normal(size=(200, 2))
X[1:, 1] += 0.8 * X[:-1, 0]


def write(path, header, x=X, regimes=None):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "regime"] if regimes else header)
        for k, row in enumerate(x.tolist()):
            writer.writerow([*row, regimes[k]] if regimes else row)
    return str(path)


def discovered(capsys, tmp_path, *arguments, method="var"):
    out = ["--out", str(tmp_path / "out"), "--method", method, "--max-lag", "1"]
    code = main(["discover", *arguments, *out])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize(
    ("names", "link"),
    [
        (("a->b", "c"), "a->b->c"),
        (("a", "b→c"), "a→b→c"),
        (("a", "b→c"), "a -> b→c:1"),
        (("a->b", "c:1"), "a->b->c:1"),
        (("a->b", "c:1"), "a->b->c:1:1"),
    ],
)
def test_names_with_arrows_can_be_forbidden(names, link, capsys, tmp_path):
    path = write(tmp_path / "x.csv", names)
    code, out, err = discovered(capsys, tmp_path, path, "--json", "--forbid", link)
    assert code == 0, err
    edges = json.loads(out)["graph"]["edges"]
    assert not [e for e in edges if (e["source"], e["target"]) == names]


def test_a_link_that_can_be_read_in_two_ways_is_an_error(capsys, tmp_path):
    x = np.random.default_rng(0).normal(size=(100, 4))
    path = write(tmp_path / "x.csv", ("a", "b->c", "a->b", "c"), x)
    code, _, err = discovered(capsys, tmp_path, path, "--forbid", "a->b->c")
    assert code == 2
    assert "--forbid can be read as 'a' -> 'b->c' or 'a->b' -> 'c'" in err
    code, _, err = discovered(capsys, tmp_path, path, "--forbid", "a->z")
    assert code == 2
    assert "names 'z'" in err


@pytest.mark.parametrize("flag", ["--domain", "--mask-column"])
def test_a_column_of_text_is_called_that(flag, capsys, tmp_path):
    path = write(tmp_path / "x.csv", ("a", "b"), regimes=["dry", "wet"] * 100)
    code, _, err = discovered(capsys, tmp_path, path, flag, "regime", method="gradient")
    assert code == 2
    assert f"{flag} 'regime': Column 'regime' holds text and was left out." in err


def test_names_are_printed_on_one_line_and_cut_and_kept_in_files():
    names = ("rain\n[mm]", "x" * 200)
    found = jc.discover(X, 1, names=names, method="var", progress=False)
    row = next(line for line in found.summary().splitlines() if "-->" in line)
    assert row.startswith("rain [mm]")
    assert "x" * 27 + "…" + "x" * 12 in row
    assert len(row) < 2 * LONGEST + 60
    assert json.loads(found.to_json())["variables"] == list(names)
    kinds = [("source", "U200"), ("target", "U200"), ("lag", int)]
    kinds += [(name, float) for name in ("p_value", "q_value", "score", "strength")]
    table = np.array([(*names, 1, 0.1, 0.1, 1.0, 1.0)], kinds)
    lines = Candidates(table, np.zeros((2, 2, 2), bool), 1.0).lines()
    assert lines[1].startswith("rain [mm] ")
    assert "…" in lines[1]


def test_a_column_without_a_name_is_called_by_its_place(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    x = np.random.default_rng(0).normal(size=(30, 4))
    header = ["", "rain", None, "river"]
    for row in (header, *x.tolist()):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    write(tmp_path / "x.csv", ["", "rain", "", "river"], x)
    for file in ("x.csv", "x.xlsx"):
        read = read_series(tmp_path / file)
        assert read.names == ("column 1", "rain", "column 3", "river")
        assert "Column 3 has no name and was called 'column 3'." in read.notes
        assert "Column 1 has no name and was called 'column 1'." in read.notes
