"""Work that devices and processes share: the result is that of one device."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from processes import free_port, printed_by, results_of, started

import jaxcause as jc
from jaxcause import InputError
from jaxcause.cli import main
from jaxcause.cli._devices import joined
from jaxcause.cli._main import build_parser
from jaxcause.discovery._pcmci.shares import deal_parts
from jaxcause.sharding import row_mesh
from jaxcause.training._devices import check_training_mesh
from jaxcause.workflows._discover import members

SCRIPT = Path(__file__).parent / "work_on_mesh.py"
SERIES = np.random.default_rng(0).normal(size=(80, 2))


def mesh_of_copies(n_devices):
    """A mesh of one device many times over, which no program could run on."""
    devices = np.array([jax.devices()[0]] * n_devices)
    return jax.sharding.Mesh(devices, ("rows",), axis_types=(jax.sharding.AxisType.Auto,))


def check_shared(found):
    """Searches are equal in every bit, training but for rounding."""
    assert set(found["searches"].values()) == {0}, found
    assert max(found["training"].values()) < 1e-5, found


def test_work_on_several_devices_gives_what_one_does(tmp_path):
    (found,) = results_of([started(SCRIPT, tmp_path, 4)])
    check_shared(found)
    assert set(found["searches"]) == {"pcmci", "pcmci_plus", "compiled"}
    assert found["outputs"] == 0
    discovered = found["discover"]
    assert [discovered.pop(name) for name in ("pc", "pcmci", "pcmci+", "graph")] == [0] * 4
    assert discovered.pop("scores") < 1e-4
    assert discovered.pop("error") < 1e-5
    assert not discovered


def test_processes_share_work_and_the_first_one_writes(tmp_path):
    port = free_port()
    both = results_of([started(SCRIPT, tmp_path, 1, number, 2, port) for number in range(2)])
    for found in both:
        check_shared(found)
        assert found["checkpoint"].pop("first step") == 40
        assert found["checkpoint"].pop("difference") == 0
    assert [found["checkpoint"] for found in both] == [{"wrote": True}, {"wrote": False}]


def test_the_command_runs_in_two_processes(tmp_path):
    x = np.random.default_rng(0).normal(size=(400, 2))
    x[1:, 1] += np.abs(x[:-1, 0])
    table = "rain,river\n" + "".join(f"{a},{b}\n" for a, b in x)
    (tmp_path / "s.csv").write_text(table)
    command = ["-m", "jaxcause", "discover", tmp_path / "s.csv", "--max-lag", 1, "--json"]
    command += ["--method", "pcmci", "--out", tmp_path / "out"]
    place = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2, "--process-id"]
    first, second = printed_by([started(*command, *place, number) for number in range(2)])
    assert second == ""
    assert json.loads(first)["out"] == str(tmp_path / "out")
    assert (tmp_path / "out" / "graph.json").exists()


@pytest.mark.parametrize("n_devices", [2, 3, 4, 8])
def test_devices_get_about_the_same_number_of_tests(n_devices):
    sizes = np.random.default_rng(n_devices).integers(1, 2000, size=40)
    ends = np.cumsum(sizes)
    chunks = [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    shares = [np.concatenate(parts) for parts in deal_parts(chunks, n_devices)]
    np.testing.assert_array_equal(np.sort(np.concatenate(shares)), np.arange(ends[-1]))
    lengths = [len(share) for share in shares]
    assert max(lengths) <= 1.01 * np.mean(lengths)


def test_members_that_all_devices_can_take_come_first():
    def groups(n_members, n_devices):
        return members._groups(n_members, mesh_of_copies(n_devices))

    assert groups(9, 4) == [(0, 4), (4, 8), (8, 9)]
    assert groups(3, 4) == [(0, 1), (1, 2), (2, 3)]
    assert members._groups(2, None) == [(0, 1), (1, 2)]


@pytest.mark.parametrize("method", ["var", "lasso"])
def test_what_cannot_be_shared_is_refused(method, tmp_path, capsys):
    with pytest.raises(InputError, match="mesh is not an option of method=.*one of method='grad"):
        jc.discover(SERIES, 2, method=method, mesh=row_mesh())
    file = tmp_path / "s.csv"
    file.write_text("rain,river\n" + "".join(f"{a},{b}\n" for a, b in SERIES))
    for options in (["--devices", "1"], ["--distributed"]):
        assert main(["discover", str(file), "--method", method, *options]) == 2
        said = f"{options[0]} is not for --method {method}, but for gradient and pc and pcmci and"
        assert said in capsys.readouterr().err


def test_meshes_of_several_axes_are_refused():
    axes = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("a", "b"))
    with pytest.raises(InputError, match="must have one Auto axis"):
        jc.methods.PCMCI(mesh=axes)
    with pytest.raises(InputError, match="must have one Auto axis"):
        jc.discovery.pcmci(np.eye(6), 50, n_vars=2, mesh=axes)
    with pytest.raises(InputError, match="must have one Auto axis"):
        check_training_mesh(axes, 1, 8)


def test_more_devices_than_stretches_are_refused():
    mesh = mesh_of_copies(3)
    check_training_mesh(mesh, 1, 3)
    check_training_mesh(mesh, 6, 2)
    with pytest.raises(InputError, match="mesh has 3 devices, more than the batch_size=2"):
        check_training_mesh(mesh, 1, 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--devices", "99"], "--devices 99 is more than JAX finds here (1 of kind cpu); give at"),
        (["--coordinator", "a:1"], "--coordinator, --process-id and --processes belong together"),
        (
            ["--coordinator", "a", "--process-id", "0", "--processes", "2"],
            "--coordinator 'a' is no address; write it as HOST:PORT",
        ),
        (
            ["--coordinator", "a:1", "--process-id", "2", "--processes", "2"],
            "--process-id 2 is not one of 2 processes; give 0 to 1",
        ),
        (["--distributed"], "--distributed finds no variables of SLURM or Kubernetes"),
    ],
)
def test_devices_and_processes_that_are_not_there(options, said, tmp_path, capsys, monkeypatch):
    def nothing(**place):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", nothing)
    file = tmp_path / "s.csv"
    file.write_text("rain,river\n" + "".join(f"{a},{b}\n" for a, b in SERIES))
    out = ["--out", str(tmp_path / "out"), "--method", "pcmci"]
    assert main(["discover", str(file), *out, *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_process_that_lost_the_others_says_so(monkeypatch):
    monkeypatch.setattr(jax.distributed, "initialize", lambda **place: None)
    arguments = build_parser().parse(["discover", "s.csv", "--distributed", "--quiet"])

    def fail(said):
        with joined(arguments) as first:
            assert first
            raise RuntimeError(said)

    with pytest.raises(InputError, match="another process of the command ended"):
        fail("Gloo context initialization failed")
    with pytest.raises(RuntimeError, match="out of memory"):
        fail("out of memory")


def test_a_mesh_of_one_device_is_recorded():
    found = jc.discover(SERIES, 2, method="pcmci", mesh=row_mesh(jax.devices()[:1]))
    assert found.info.settings["mesh"] == "1 device"
