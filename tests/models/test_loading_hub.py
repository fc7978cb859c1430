"""Models by their name on the hub: with a network, without, and with one that does not answer."""

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from huggingface_hub import constants

from jaxcause import InputError
from jaxcause.models import _hub, load_pretrained

GOLDENS = Path(__file__).parent / "goldens"

PATIENCE = 8
"""Seconds: less than the hub's own tries take, more than a busy machine needs."""


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves one model as the hub does."""

    def answer(self):
        name = self.path.split("/")[-1]
        file, known = GOLDENS / "bert_bin" / name, self.path.startswith("/some/model/resolve/")
        found = known and file.is_file()
        content = file.read_bytes() if found else b""
        self.send_response(200 if found or self.path == "/" else 404)
        if found:
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("ETag", f'"{name}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def do_HEAD(self):  # noqa: N802
        self.answer()

    def do_GET(self):  # noqa: N802
        self.wfile.write(self.answer())

    def log_message(self, *given):
        pass


@pytest.fixture
def hub():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def in_a_new_process(code, hub, home):
    given = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    given |= {"HF_ENDPOINT": hub, "HF_HOME": str(home)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=given)


def test_fetched_from_the_hub(hub, tmp_path):
    code = (
        "from jaxcause.models import load_pretrained as load\n"
        "model = load('some/model')\n"
        "print(model.head, model.n_layers, model.folder.name)"
    )
    ran = in_a_new_process(code, hub, tmp_path)
    assert ran.stdout.split() == ["masked_lm", "2", "a" * 40], ran.stderr
    # Once fetched, it is found when the hub is gone.
    again = in_a_new_process(code, "http://127.0.0.1:9", tmp_path)
    assert again.stdout.split() == ["masked_lm", "2", "a" * 40], again.stderr


def test_a_model_that_the_hub_does_not_have(hub, tmp_path):
    code = "from jaxcause.models import load_pretrained as load; load('other/model')"
    ran = in_a_new_process(code, hub, tmp_path)
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("jaxcause._errors.InputError: other/model: config.json cannot be fet")


def test_a_hub_id_without_a_network_fails_at_once():
    began = time.perf_counter()
    with pytest.raises(InputError, match=r"config\.json, and HF_HUB_OFFLINE is set"):
        load_pretrained("nobody/has-this-model")
    assert time.perf_counter() - began < PATIENCE


def test_an_unreachable_hub_fails_at_once(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    began = time.perf_counter()
    with pytest.raises(InputError, match="http://127.0.0.1:9 cannot be reached"):
        load_pretrained("nobody/has-this-model")
    assert time.perf_counter() - began < PATIENCE


def test_a_hub_that_never_answers_is_given_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(_hub, "PROBE_SECONDS", 0.3)
        began = time.perf_counter()
        with pytest.raises(InputError, match="cannot be reached"):
            load_pretrained("nobody/has-this-model")
        assert time.perf_counter() - began < PATIENCE


def test_what_was_fetched_before_is_found_without_a_network(tmp_path, monkeypatch):
    commit = "0" * 40
    repository = tmp_path / "models--some--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    shutil.copytree(GOLDENS / "gpt2_lm", snapshot)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    model = load_pretrained("some/model")
    assert model.folder == snapshot
    local = load_pretrained(GOLDENS / "gpt2_lm")
    for ours, theirs in zip(*map(jax.tree.leaves, (model.params, local.params)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
