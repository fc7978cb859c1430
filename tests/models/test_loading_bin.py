"""Weights that PyTorch pickled: read without it, and without trust."""

import io
import os
import pickle
import shutil
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest

from jaxcause import InputError
from jaxcause.models import load_pretrained
from jaxcause.models._unpickle import read_torch_zip

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture
def folder(tmp_path):
    """A copy of a masked-LM BERT, to be damaged."""
    return Path(shutil.copytree(GOLDENS / "bert_masked_lm", tmp_path / "model"))


def test_a_file_that_torch_pickled():
    stored = GOLDENS / "bert_bin"
    expect = np.load(stored / "expected.npz")
    weights = read_torch_zip(stored / "pytorch_model.bin")
    assert set(weights) == {name for name in expect.files if not name.startswith("run.")}
    for name in weights:
        np.testing.assert_array_equal(weights[name].astype(np.float32), expect[name])
    dtypes = {str(value.dtype) for value in weights.values()}
    assert dtypes == {"float32", "float16", "bfloat16", "int64"}
    model = load_pretrained(stored)
    found = jax.jit(model.apply)(model.params, expect["run.ids"], expect["run.mask"])
    np.testing.assert_allclose(found.attentions, expect["run.attentions"], atol=1e-5)
    np.testing.assert_allclose(found.logits, expect["run.logits"], atol=2e-5)


class Storage:
    """Pickles as a reference to a storage."""

    def __init__(self, kind, key, n):
        self.pid = ("storage", kind, key, "cpu", n)


class Global:
    """Pickles as a name that the reader must resolve."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Pickles as a call of a `Global`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


def pickled(value):
    """The bytes of a pickle, written opcode by opcode."""
    if isinstance(value, Global):
        return b"c" + f"{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return pickled(value.function) + pickled(value.arguments) + b"R"
    if isinstance(value, Storage):
        return pickled(value.pid) + b"Q"
    if isinstance(value, tuple):
        return b"(" + b"".join(pickled(item) for item in value) + b"t"
    if isinstance(value, dict):
        items = b"".join(pickled(key) + pickled(item) for key, item in value.items())
        return b"}(" + items + b"u"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    text = value.encode()
    return b"X" + struct.pack("<I", len(text)) + text


def archive(path, content, storages, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        file.writestr("any/data.pkl", b"\x80\x02" + pickled(content) + b".")
        for key, data in storages.items():
            file.writestr(f"any/data/{key}", data)
    return path


REBUILD = Global("torch._utils", "_rebuild_tensor_v2")
HOOKS = Call(Global("collections", "OrderedDict"))
FLOATS = Global("torch", "FloatStorage")


def tensor(key, n, offset, shape, strides, kind=FLOATS):
    return Call(REBUILD, Storage(kind, key, n), offset, shape, strides, False, HOOKS)


def test_a_file_built_by_hand(tmp_path):
    six = np.arange(6, dtype=np.float32)
    content = {
        "rows": tensor("0", 6, 0, (2, 3), (3, 1)),
        "columns": tensor("0", 6, 0, (3, 2), (1, 3)),
        "tail": tensor("0", 6, 4, (2,), (1,)),
        "scalar": tensor("0", 6, 5, (), ()),
        "none": tensor("0", 6, 0, (0, 4), (4, 1)),
        "half": tensor("1", 2, 0, (2,), (1,), Global("torch", "BFloat16Storage")),
    }
    half = np.array([1.5, -2], ml_dtypes.bfloat16).tobytes()
    path = archive(tmp_path / "a.bin", content, {"0": six.tobytes(), "1": half})
    found = read_torch_zip(path)
    np.testing.assert_array_equal(found["rows"], six.reshape(2, 3))
    np.testing.assert_array_equal(found["columns"], six.reshape(2, 3).T)
    np.testing.assert_array_equal(found["tail"], [4, 5])
    assert found["scalar"] == 5
    assert found["none"].shape == (0, 4)
    np.testing.assert_array_equal(found["half"].astype(np.float32), [1.5, -2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tensor("0", 6, 0, (3, 3), (3, 1)), "reaches beyond its storage"),
        (tensor("0", 6, 5, (2,), (1,)), "reaches beyond its storage"),
        (tensor("0", 6, 0, (2,), (-1,)), "strides"),
        (tensor("0", 6, 0, (2,), (1, 1)), "strides"),
        (tensor("0", 7, 0, (2,), (1,)), "wrong length"),
        (tensor("9", 6, 0, (2,), (1,)), "cannot be read"),
        (tensor("0", 6, 0, (2,), (1,), Global("torch", "QInt8Storage")), r"torch\.QInt8Storage"),
        (tensor("0", 6, 0, (2,), (1,), "FloatStorage"), "not a storage"),
        ("only text", "not a dictionary of tensors"),
    ],
)
def test_files_that_lie_about_their_tensors(tmp_path, content, message):
    content = {"a": content} if isinstance(content, Call) else content
    path = archive(tmp_path / "a.bin", content, {"0": np.zeros(6, np.float32).tobytes()})
    with pytest.raises(InputError, match=message):
        read_torch_zip(path)


class Touch:
    """Unpickled by an open-minded reader, this makes a file."""

    def __init__(self, path, how):
        self.path, self.how = path, how

    def __reduce__(self):
        if self.how == "system":
            return os.system, (f"touch {self.path}",)
        if self.how == "eval":
            return eval, (f"open({str(self.path)!r}, 'w').close()",)
        if self.how == "open":
            return open, (str(self.path), "w")
        return getattr, (self.path, "touch")


@pytest.mark.parametrize("how", ["system", "eval", "open", "getattr"])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_hostile_pickle_is_refused_and_does_nothing(folder, tmp_path, how, protocol):
    trace = tmp_path / "was_here"
    hostile = pickle.dumps(OrderedDict(a=Touch(trace, how)), protocol=protocol)
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as file:
        file.writestr("any/data.pkl", hostile)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="asks for .* it was not run"):
        load_pretrained(folder)
    assert not trace.exists()
    if how == "open":
        # The test is one: a plain unpickler does run it.
        pickle.loads(hostile)["a"].close()
        assert trace.exists()


@pytest.mark.parametrize("name", ["OrderedDict.fromkeys", "namedtuple", "abc"])
def test_nothing_but_the_names_on_the_list(tmp_path, name):
    path = archive(tmp_path / "a.bin", {"a": Global("collections", name)}, {})
    with pytest.raises(InputError, match=f"asks for collections.{name}"):
        read_torch_zip(path)


def test_damaged_torch_files(tmp_path):
    whole = (GOLDENS / "bert_bin" / "pytorch_model.bin").read_bytes()
    path = tmp_path / "a.bin"
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="truncated"):
            read_torch_zip(path)
    path.write_bytes(pickle.dumps({"old": "format"}))
    with pytest.raises(InputError, match=r"older than PyTorch 1\.6"):
        read_torch_zip(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("any/data.pkl", b"\x80\x02}q")
    with pytest.raises(InputError, match="cannot be read"):
        read_torch_zip(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("other", b"")
    with pytest.raises(InputError, match=r"holds no data\.pkl"):
        read_torch_zip(path)
    content = {"a": tensor("0", 6, 0, (2,), (1,))}
    archive(path, content, {"0": bytes(24)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed"):
        read_torch_zip(path)


def test_the_writer_of_pickles_writes_what_python_reads():
    content = {"a": (1, -2, "text", True), "b": {"c": False}}
    assert pickle.load(io.BytesIO(b"\x80\x02" + pickled(content) + b".")) == content
