"""An option of reading is obeyed or refused, files count once, and names are text."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import jaxcause as jc
from jaxcause import InputError
from jaxcause.cli._main import main
from jaxcause.io import read_series
from jaxcause.series import as_series_table

X = np.random.default_rng(0).normal(size=(40, 3))
FRAME = pd.DataFrame(X, columns=["rain", "river", "snow"])
FRAME.insert(0, "date", pd.date_range("2020-01-01", periods=40))


@pytest.fixture
def files(tmp_path):
    FRAME.to_csv(tmp_path / "x.csv", index=False)
    FRAME.to_parquet(tmp_path / "x.parquet", index=False)
    FRAME.to_excel(tmp_path / "x.xlsx", index=False)
    np.savez(tmp_path / "x.npz", x=X)
    return {kind: tmp_path / f"x.{kind}" for kind in ("csv", "parquet", "xlsx", "npz")}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("csv", {"array": "x"}),
        ("parquet", {"array": "x"}),
        *[(kind, {"delimiter": ";"}) for kind in ("parquet", "xlsx", "npz")],
        *[(kind, {"encoding": "latin-1"}) for kind in ("parquet", "xlsx", "npz")],
        *[(kind, {"skip_rows": 5}) for kind in ("parquet", "npz")],
        *[(kind, {"decimal": ","}) for kind in ("parquet", "npz", "xlsx")],
        *[(kind, {"thousands": "."}) for kind in ("parquet", "npz")],
    ],
)
def test_an_option_that_goes_with_other_files_is_an_error(files, kind, options):
    (name,) = options
    with pytest.raises(InputError, match=rf"{name}=.* goes with"):
        read_series(files[kind], **options)


def test_an_option_that_goes_with_one_of_the_files_is_obeyed(files, tmp_path):
    FRAME.iloc[:20].to_csv(tmp_path / "y.csv", index=False, sep=";")
    assert len(read_series([tmp_path / "y.csv", files["parquet"]], delimiter=";").values) == 60
    text = FRAME.astype({"rain": str})
    text["rain"] = text["rain"].str.replace(".", ",")
    text.to_parquet(tmp_path / "t.parquet", index=False)
    np.testing.assert_allclose(read_series(tmp_path / "t.parquet", decimal=",").values, X)


def test_empty_texts_are_no_defaults(files, capsys, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="delimiter='' must be one character"):
        read_series(files["csv"], delimiter="")
    monkeypatch.chdir(tmp_path)
    assert main(["discover", str(files["csv"]), "--out", ""]) == 2
    assert "--out: it is empty" in capsys.readouterr().err


def test_a_file_counts_once(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"x.csv is given twice"):
        read_series([files["csv"], "x.csv"])
    (tmp_path / "copy.csv").write_bytes(files["csv"].read_bytes())
    notes = " ".join(read_series([files["csv"], tmp_path / "copy.csv"]).notes)
    assert "40 of 40 rows of" in notes
    assert "count twice" in notes
    FRAME.iloc[30:].to_csv(tmp_path / "part.csv", index=False)
    assert "10 of 10 rows of" in " ".join(read_series([files["csv"], "part.csv"]).notes)
    FRAME.iloc[:, :3].assign(snow=X[::-1, 0]).to_csv(tmp_path / "other.csv", index=False)
    assert "count twice" not in " ".join(read_series([files["csv"], "other.csv"]).notes)


def test_arrays_that_are_given_twice_are_told_of():
    holed = X.copy()
    holed[3, 1] = np.nan
    assert any("40 of 40 rows" in note for note in as_series_table([holed, holed.copy()]).notes)
    assert not any("twice" in note for note in as_series_table([X[:20], X[10:]]).notes)


def test_names_are_text_or_whole_numbers(untyped):
    whole: list[Any] = [[1, 2, 3], np.array([1, 2, 3])]
    for names in whole:
        found = jc.discover(X, 1, names=names, method="var", progress=False)
        assert found.names == ("1", "2", "3")
        assert found.summary()
    for names, message in [
        ([None, "a", "b"], "names holds None, which is neither text nor a whole number"),
        ([1.5, "a", "b"], "names holds 1.5"),
        ([True, "a", "b"], "names holds True"),
        ("abc", "names='abc' must be a list of names"),
        (["1", 1, "b"], "duplicate column names '1'"),
    ]:
        with pytest.raises(InputError, match=message):
            as_series_table(X, names=names)
