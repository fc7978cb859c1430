from pathlib import Path

import jax
import numpy as np
import pytest
from processes import free_port, results_of, started

import jaxcause as jc
from jaxcause import InputError
from jaxcause.discovery._kernel.over_devices import deal
from jaxcause.sharding import row_mesh

SCRIPT = Path(__file__).parent / "on_mesh.py"


def test_searches_on_several_devices_equal_those_on_one():
    (found,) = results_of([started(SCRIPT, 8)])
    assert found["edges"] > 10
    assert len(found["differences"]) == 9
    assert not any(found["differences"].values()), found


@pytest.mark.parametrize("n_processes", [2, 4])
def test_searches_over_several_processes_equal_those_of_one(n_processes):
    port = free_port()
    processes = [started(SCRIPT, 1, number, n_processes, port) for number in range(n_processes)]
    for found in results_of(processes):
        assert len(found["differences"]) == 1
        assert not any(found["differences"].values()), found


@pytest.mark.parametrize("n_devices", [2, 3, 4, 8])
@pytest.mark.parametrize("seed", range(5))
def test_devices_get_about_the_same_work(n_devices, seed):
    # Numbers of sets as a sparse graph with some hubs has them.
    rng = np.random.default_rng(seed)
    degree = np.sort(rng.geometric(0.15, size=40_000))
    n_sets = degree * (degree - 1) // 2
    lanes = 512
    order = deal(-(-n_sets.size // (lanes * n_devices)) * lanes, n_devices)
    assert (np.sort(order) == np.arange(order.size)).all()
    dealt = np.pad(n_sets, (0, order.size - n_sets.size))[order]
    # The tests of each device; the one row with most sets cannot be shared.
    work = dealt.reshape(n_devices, -1).sum(axis=1)
    assert work.max() <= 1.1 * work.mean()


def test_what_a_mesh_cannot_share_is_refused():
    test = jc.partial_correlation_test(np.eye(3), 50)
    with pytest.raises(InputError, match="one graph; leave caps out"):
        jc.pc(test, caps=jc.Caps(2, 1), mesh=row_mesh())
    axes = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("a", "b"))
    with pytest.raises(InputError, match="must have one Auto axis"):
        jc.pc(test, mesh=axes)
