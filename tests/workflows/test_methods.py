"""The methods of `discover`: options are fields, and nothing is accepted that is not one."""

import dataclasses
import sys

import numpy as np
import pytest

import jaxcause as jc
from jaxcause.workflows import Discovery, DiscoveryInfo, Finding, methods
from jaxcause.workflows._discover import methods as registry

SERIES = np.random.default_rng(0).normal(size=(60, 2))
WRONG = {
    "frobidden": [("X0", "X1")],
    "domain": np.zeros(60, int),
    "members": 3,
    "head": "gaussian",
}
CLASSICAL = ("lasso", "pc", "pcmci", "pcmci+", "var", "auto")


@pytest.mark.parametrize("method", CLASSICAL)
@pytest.mark.parametrize("option", WRONG)
def test_what_a_method_does_not_have_is_refused(method, option):
    name = "pcmci" if method == "auto" else method
    known = ", ".join(one.name for one in methods.registered()[name].options())
    remedy = (
        "did you mean forbidden?" if option == "frobidden" else "it is one of method='gradient'"
    )
    message = rf"{option} is not an option of method='{name}', whose options are {known}; {remedy}"
    with pytest.raises(jc.InputError) as caught:
        jc.discover(SERIES, 2, method=method, **{option: WRONG[option]})
    assert str(caught.value) == message.replace("\\", "")


@pytest.mark.parametrize("method", ["lasso", "var"])
def test_regressions_do_nothing_about_missing_values(method):
    with pytest.raises(jc.InputError) as caught:
        jc.discover(SERIES, 2, method=method, missing="mask")
    whose = "it is one of method='gradient' and 'pc' and 'pcmci' and 'pcmci+'"
    assert str(caught.value).endswith(whose)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("method", ["pc", "pcmci", "pcmci+"])
def test_tests_of_pairs_mask_nothing(method):
    with pytest.raises(
        jc.InputError, match="missing='mask' is not known; choose one of auto, window"
    ):
        jc.discover(SERIES, 2, method=method, missing="mask")


def test_a_slip_of_the_pen_is_told():
    with pytest.raises(jc.InputError, match="did you mean alpha"):
        jc.discover(SERIES, 2, method="pc", alpah=0.1)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("pcmci", methods.PCMCI(alpha=0.1)),
        ("pc", methods.PC(alpha=0.1)),
        ("pcmci+", methods.PCMCIPlus(alpha=0.1)),
    ],
)
def test_a_name_with_options_is_the_method_itself(name, method):
    by_name = jc.discover(SERIES, 2, method=name, alpha=0.1)
    whole = jc.discover(SERIES, 2, method=method)
    np.testing.assert_array_equal(by_name.graph.marks, whole.graph.marks)
    np.testing.assert_array_equal(by_name.scores, whole.scores)
    assert by_name.info.settings == whole.info.settings == dataclasses.asdict(method)
    assert by_name.info.method == name
    with pytest.raises(jc.InputError, match="give it alpha"):
        jc.discover(SERIES, 2, method=method, alpha=0.1)


@pytest.mark.usefixtures("untyped")
def test_every_method_checks_every_option():
    """A value that no option of its kind may have is an error that names the option."""
    for kind in methods.registered().values():
        for option in kind.options():
            wrong = 1.5 if option.is_probability else -1 if option.minimum is not None else "wrong"
            if option.is_probability or option.minimum is not None or option.choices:
                with pytest.raises(jc.InputError, match=f"{option.name}="):
                    kind(**{option.name: wrong})


def test_what_a_given_forecaster_spares_is_refused():
    forecaster = object()
    for name, value in {"members": 3, "model": "small", "transform": "log", "skip": True}.items():
        with pytest.raises(jc.InputError, match=f"{name} is an option of training"):
            methods.Gradient(forecaster=forecaster, **{name: value})  # pyright: ignore


def test_a_level_of_a_search_that_is_not_made_is_refused():
    with pytest.raises(jc.InputError, match="alpha=0.01 is for latents=True"):
        methods.Gradient(alpha=0.01)
    assert methods.Gradient(alpha=0.01, contemporaneous=True).alpha == 0.01


def test_a_method_of_your_own():
    @methods.register
    @dataclasses.dataclass(frozen=True)
    class Cross(methods.Method):
        """Absolute cross-correlations.

        Args:
            threshold: Smallest correlation of an edge.
        """

        name = "cross"
        threshold: methods.Probability = 0.5

        def __call__(self, table, max_lag, *, key, progress):
            n_vars = len(table.names)
            scores = np.zeros((n_vars, n_vars, max_lag + 1))
            for lag in range(1, max_lag + 1):
                both = np.corrcoef(table.values[:-lag].T, table.values[lag:].T)
                scores[:, :, lag] = np.abs(both[:n_vars, n_vars:])
            info = DiscoveryInfo(
                score="correlation", strength="correlation", extra={"largest": scores.max()}
            )
            graph = jc.LaggedGraph.from_mask(scores > self.threshold)
            return Finding(graph, scores, scores, info)

    try:
        x = SERIES.copy()
        x[2:, 1] = x[:-2, 0]
        found = jc.discover(x, 2, method="cross", threshold=0.6)
        assert found.graph.edges() == [("X0", 2, "-->", "X1")]
        assert found.info.method == "cross"
        again = Discovery.from_json(found.to_json())
        assert again.info.extra == {"largest": pytest.approx(1)}
        assert "cross" in found.to_html()
        with pytest.raises(jc.InputError, match="exists; give yours another name"):
            methods.register(type("Other", (methods.VAR,), {"name": "cross"}))
    finally:
        registry._REGISTERED.pop("cross")


def test_info_cannot_be_changed():
    found = jc.discover(SERIES, 1, method="var")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.info.notes = ()
    assert "alpha" not in found.info.to_dict()
    assert found.info.to_dict()["settings"] == dataclasses.asdict(methods.VAR())


def test_writing_changes_nothing_that_it_was_given(tmp_path, monkeypatch):
    found = jc.discover(SERIES, 1, method="var")
    before = found.info
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(Discovery, "plot", _no_matplotlib)
    files = jc.workflows.write_discovery(found, tmp_path / "out")
    assert "graph.png" not in files
    assert found.info is before
    assert "No pictures without matplotlib" in (tmp_path / "out" / "report.html").read_text()


def _no_matplotlib(self, kind):
    raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
