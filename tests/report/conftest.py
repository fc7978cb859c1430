"""A small explanation to make pages of, and a headless Chromium without further packages."""

import json
import os
import select
import shutil
import subprocess
import time

import numpy as np
import pytest

from jaxcause.report._markup import asset

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars
--disable-background-networking --disable-component-update --disable-sync
--remote-debugging-pipe""".split()


class Page:
    """A tab: what it logged, what it asked for, and what its script says."""

    def __init__(self, browser, width=1280, height=900, dark=False):
        self.browser, self.log, self.requests = browser, [], []
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self.target, self.session = target, attached["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def send(self, method, **params):
        return self.browser.send(method, self.session, **params)

    def open(self, path):
        self.loaded = False
        self.send("Page.navigate", url=path.as_uri())
        self.browser.until(lambda: self.loaded)
        return self

    def js(self, code):
        answer = self.send(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{code}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def key(self, name, code=0, text=""):
        params = {"key": name, "code": name, "windowsVirtualKeyCode": code, "text": text}
        self.send("Input.dispatchKeyEvent", type="keyDown", **params)
        self.send("Input.dispatchKeyEvent", type="keyUp", **params | {"text": ""})

    def click(self, selector):
        """Click where an element lies, as a hand would."""
        x, y = self.js(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', inline: 'center'});"
            "const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def js_own(self, function, texts):
        """What a function of the page's script makes of texts that may be 90 pixels wide each."""
        source = asset("shared.js").replace("data.labels", "[]")
        source = source.replace('JSON.parse(document.getElementById("data").textContent)', "{}")
        call = f"{function}({json.dumps(texts)}, {json.dumps([90] * len(texts))}, 12)"
        return self.js(f"(() => {{ {source}; return {call}; }})()")

    def download(self, selector, folder, seconds=20):
        """Click on a button, and wait for the file that it saves into an empty folder."""
        folder.mkdir()
        self.browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.click(selector)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for file in folder.iterdir():
                if file.suffix != ".crdownload" and not file.name.startswith("."):
                    return file
            time.sleep(0.05)
        raise AssertionError(f"{selector} saved nothing")

    def event(self, method, params):
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.log.append(params["exceptionDetails"])
        elif method in ("Runtime.consoleAPICalled", "Log.entryAdded"):
            self.log.append(params)

    def close(self):
        self.browser.send("Target.closeTarget", targetId=self.target)


class Browser:
    """Chromium, spoken to over two pipes."""

    def __init__(self, program, folder):
        there, self.out = os.pipe()
        self.inward, back = os.pipe()
        # The shell renumbers the pipes: Chromium reads 3 and writes 4.
        command = ["bash", "-c", f'exec "$@" 3<&{there} 4>&{back}', "-", program, *FLAGS]
        self.process = subprocess.Popen(
            [*command, f"--user-data-dir={folder}"],
            pass_fds=(there, back), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(there)
        os.close(back)
        self.buffer, self.count, self.answers, self.pages = b"", 0, {}, {}

    def send(self, method, session=None, **params):
        self.count += 1
        number = self.count
        message = {"id": number, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        os.write(self.out, json.dumps(message).encode() + b"\0")
        self.until(lambda: number in self.answers)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def until(self, done, seconds=60):
        deadline = time.monotonic() + seconds
        while not done():
            if not select.select([self.inward], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise AssertionError(f"Chromium gave no answer in {seconds} s")
            piece = os.read(self.inward, 1 << 20)
            if not piece:
                raise AssertionError("Chromium has ended")
            *whole, self.buffer = (self.buffer + piece).split(b"\0")
            for message in map(json.loads, whole):
                if "id" in message:
                    self.answers[message["id"]] = message
                elif message.get("sessionId") in self.pages:
                    self.pages[message["sessionId"]].event(message["method"], message["params"])

    def close(self):
        try:
            self.send("Browser.close")
            self.process.wait(20)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.inward)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None or shutil.which("bash") is None:
        pytest.skip("no Chromium on this machine")
    chromium = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Open a page given as text, in a tab of a given size."""
    opened = []

    def go(text, **look):
        path = tmp_path / f"page{len(opened)}.html"
        path.write_text(text, encoding="utf-8")
        opened.append(Page(browser, **look).open(path))
        return opened[-1]

    yield go
    for page in opened:
        page.close()


MARKS = [("tail", "arrow"), ("circle", "arrow"), ("arrow", "arrow"), ("circle", "circle"),
         ("tail", "tail"), ("arrow", "circle"), ("circle", "tail"), ("arrow", "tail")]  # fmt: skip


def synthetic_view(name, n, n_edges, rng):
    logits = 2 * rng.normal(size=(n, n))
    attention = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    unit = attention / np.linalg.norm(attention, axis=1, keepdims=True)
    corr = unit @ unit.T
    inverse = np.linalg.inv(corr + 1e-3 * np.eye(n))
    scale = np.sqrt(np.diag(inverse))
    partial = 2 * np.eye(n) - inverse / np.outer(scale, scale)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    chosen = sorted(rng.permutation(len(pairs))[:n_edges].tolist())
    edges = [
        {
            "from": pairs[at][0], "to": pairs[at][1],
            "mark_from": MARKS[k % 8][0], "mark_to": MARKS[k % 8][1], "symbol": "",
            "partial_correlation": float(partial[pairs[at]]), "p_value": 10.0 ** -(k % 20 + 2),
        }
        for k, at in enumerate(chosen)
    ]  # fmt: skip
    return {
        "name": name, "edges": edges, "confidence": 2.13, "n_edges": len(edges), "singular": False,
        "attention": attention.tolist(), "correlation": corr.tolist(),
        "partial_correlation": partial.tolist(),
    }  # fmt: skip


def make_explanation(tokens=None, n_views=3, n_edges=9, seed=0):
    """An explanation.json of made-up numbers; view k has ``n_edges - k`` edges."""
    rng = np.random.default_rng(seed)
    tokens = tokens or ["[CLS]", "the", "film", "is", "not", "very", "good"]
    n = len(tokens)
    names = ["mean over heads", *(f"head {k}" for k in range(n_views - 1))]
    before = {"output": "negative", "probability": 0.97}

    def found(*nodes):
        after = {"output": "positive", "probability": 0.812, "probability_of_before": 0.188,
                 "rank_of_before": 2}  # fmt: skip
        return {"nodes": list(nodes), "tokens": [tokens[i] for i in nodes],
                "distances": [1] * len(nodes), "n_queries": 14, "before": before,
                "after": after}  # fmt: skip

    return {
        "schema": "jaxcause.explanation/1", "version": "0.1.0",
        "model": {"name": "tiny", "architecture": "bert", "head": "sequence_classification",
                  "n_layers": 6, "n_heads": 12, "hidden_size": 384},
        "text": " ".join(tokens[1:]), "tokens": tokens,
        "node_kinds": ["special"] + ["word"] * (n - 1),
        "target": {"kind": "class", "node": 0, "output": "negative", "probability": 0.97},
        "settings": {"layer": 5, "alpha": 0.01, "n_samples": 384, "one_sided": False,
                     "order": None, "intervention": "mask", "max_size": 4},
        "views": [synthetic_view(name, n, n_edges - k, rng) for k, name in enumerate(names)],
        "consensus": rng.integers(0, 12, (n, n)).tolist(),
        "explanations": [found(n - 3), found(n - 2, n - 1)],
        "search": {"n_queries": 120, "status": "explained", "note": "Tried to size 2."},
        "notes": ["Word pieces were merged."],
        "provenance": {"jaxcause": "0.1.0", "jax": "0.10.2", "created": "2026-11-21",
                       "fingerprint": "9f3c"},
    }  # fmt: skip


@pytest.fixture
def explanation():
    return make_explanation
