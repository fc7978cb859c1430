"""Series whose noise changes, in the methods of `discover`."""

import json

import numpy as np
import pytest

import jaxcause as jc
from jaxcause.cli._main import main
from jaxcause.training import TrainingConfig

METHODS = ("var", "pcmci", "pcmci+", "gradient")
QUICK = {"training": TrainingConfig(20), "model": "small", "progress": False, "domain": None}


def volatile(seed, n_rows=600):
    """rain drives river; both, and wind, are loud and calm at the same times."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=n_rows)) / 10
    noise = rng.normal(size=(n_rows, 5)) * np.exp(walk - walk.mean())[:, None]
    x = np.zeros((n_rows, 5))
    for t in range(1, n_rows):
        x[t] = 0.3 * x[t - 1] + noise[t]
        x[t, 1] += 0.6 * x[t - 1, 0]
    return x


NAMES = ["rain", "river", "wind", "snow", "sun"]


def found_by(method, x, **options):
    if method == "gradient":
        options = QUICK | options
    options = {"transform": "standardise", "detrend": None} | options
    return jc.discover(x, 2, names=NAMES, method=method, **options)


def false_edges(found):
    edges = np.asarray(found.graph.adjacency)[:, :, 1:].any(axis=2)
    edges[np.diag_indices(5)] = edges[0, 1] = False
    return int(edges.sum())


@pytest.mark.parametrize("method", METHODS)
def test_shared_loudness_is_no_cause(method):
    n_false = np.zeros(2)
    for seed in range(4):
        x = volatile(seed)
        for k, noise in enumerate(("steady", "auto")):
            found = found_by(method, x, noise=noise)
            n_false[k] += false_edges(found)
            assert (found.info.noise is None) == (noise == "steady")
        assert found.graph.directed[0, 1, 1]
        assert set(found.info.noise) <= set(NAMES)
        assert min(found.info.noise.values()) > 1.5
        (note,) = [n for n in found.info.notes if "changes over time" in n]
        assert "by a factor of" in note
        assert "--noise steady" in note
        json.dumps(found.info.to_dict()["noise"])
    # The errors of the momentary tests are not robust: weights alone leave some edges.
    assert n_false[1] <= (12 if method == "pcmci" else 5)
    # The default widens its tests, so that few are false from the start.
    assert n_false[0] >= n_false[1]
    if method in ("var", "pcmci"):
        assert n_false[0] > 3 * n_false[1]


@pytest.mark.parametrize("method", METHODS)
def test_steady_noise_changes_nothing(method):
    x = np.random.default_rng(0).normal(size=(300, 5))
    x[1:, 1] += 0.6 * x[:-1, 0]
    plain, other = (found_by(method, x, noise=noise) for noise in ("auto", "steady"))
    np.testing.assert_array_equal(plain.graph.marks, other.graph.marks)
    np.testing.assert_array_equal(plain.scores, other.scores)
    assert plain.info.notes == other.info.notes
    assert plain.info.noise is None


def test_few_windows_say_nothing_of_the_noise():
    found = found_by("var", volatile(0, n_rows=80))
    assert found.info.noise is None


@pytest.mark.parametrize("method", ["lasso", "pc"])
def test_methods_without_such_tests_refuse_the_option(method):
    with pytest.raises(jc.InputError, match="noise is not an option"):
        found_by(method, volatile(0), noise="auto")


@pytest.mark.usefixtures("untyped")
def test_the_option_is_checked():
    with pytest.raises(jc.InputError, match="noise='loud' is not known"):
        found_by("var", volatile(0), noise="loud")


def test_the_command_line(tmp_path, capsys):
    rows = (",".join(f"{v:.6f}" for v in row) for row in volatile(0))
    (tmp_path / "s.csv").write_text(",".join(NAMES) + "\n" + "\n".join(rows) + "\n")
    call = ["discover", str(tmp_path / "s.csv"), "--max-lag", "2", "--method", "var", "--quiet"]
    call += ["--transform", "standardise", "--json", "--out", str(tmp_path / "out")]
    n_edges = []
    for more in ([], ["--noise", "steady"]):
        assert main([*call, *more]) == 0
        said = json.loads(capsys.readouterr().out)
        n_edges.append(len(said["graph"]["edges"]))
        assert any("changes over time" in note for note in said["notes"]) == (not more)
    assert n_edges[1] > n_edges[0]
