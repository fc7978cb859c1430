from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import AxisType
from processes import results_of, started

from jaxcause import InputError
from jaxcause.sharding import ROWS, padded_rows, replicate, row_mesh, shard_rows


def found_by(script):
    """What a script that makes two devices of a CPU prints."""
    (found,) = results_of([started(Path(__file__).parent / script)])
    return found


def test_windows_over_two_devices_give_the_scores_of_one():
    found = found_by("on_two_devices.py")
    assert found["devices"] == found["copies"] == found["result_devices"] == 2
    assert found["axis_types"] == ["Auto"]
    assert found["shares"] == [6, 6]
    assert found["n_rows"] == 9
    assert found["inverse"]
    assert found["inside_jit"] < 1e-12
    assert len(found["differences"]) == 3
    assert max(found["differences"].values()) < 1e-9


def test_shard_map_shares_the_work_of_a_capped_search_and_jit_does_not():
    found = found_by("searches_on_two_devices.py")
    assert found["same"]
    assert found["shard_map"] < 0.52 * found["alone"]
    # What the page on it says.
    assert found["jit"] > 0.6 * found["alone"]


@pytest.mark.parametrize("xp", [np, jax.numpy])
def test_rows_are_padded_by_the_first(xp):
    rows, n_rows = padded_rows(xp.arange(10.0).reshape(5, 2), 4)
    assert n_rows == 5
    assert rows.shape == (8, 2)
    assert (np.asarray(rows)[5:] == [0.0, 1.0]).all()
    assert padded_rows(rows, 4)[0].shape == (8, 2)


def test_one_device_is_a_mesh():
    mesh = row_mesh(jax.devices()[:1])
    assert mesh.axis_names == (ROWS,)
    rows, n_rows = shard_rows(np.ones((3, 2)), mesh, multiple=2)
    assert (rows.shape, n_rows) == ((4, 2), 3)
    assert replicate((np.ones(2), 1.0), mesh)[0].sharding.is_fully_replicated
    inside = jax.jit(lambda x: shard_rows(x, mesh, multiple=2)[0] + replicate(x, mesh)[:1])
    assert inside(np.ones((3, 2))).shape == (4, 2)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: row_mesh([]), "devices is empty"),
        (lambda: shard_rows(np.ones((0, 2)), row_mesh()), "one row or more"),
        (
            lambda: shard_rows(np.ones((1, 2)), jax.make_mesh((1, 1), ("a", "b"))),
            "one Auto axis",
        ),
        (
            lambda: shard_rows(
                np.ones((1, 2)), jax.make_mesh((1,), ("a",), axis_types=(AxisType.Explicit,))
            ),
            "one Auto axis",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
