"""A pre-trained forecaster of PyTorch, `fracast`, read as it is and with a head of its own.

Fracast forecasts one variable from its own past alone (85,001 parameters, Apache-2.0; the weights
come with the package). Read as it is, it can show no edge between variables. On its embeddings of
all variables, a head trained on the series can use them.
"""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from benchmarks.mechanisms import N_VARS, System, draw_system, judged, true_effects
from jaxcause import attribution

CONTEXT, N_TRAIN, N_READ, RIDGE = 128, 3000, 64, 1e-2
"""Rows of history, of the 2,048 that it was trained with at most; windows to train on and read."""
ON = ("linear", "curved (tanh 2x)")


def read_fracast() -> Iterator[dict]:
    """Rows of both ways on simulated systems, one key each."""
    for name in ON:
        system = draw_system(name, 0, n_steps=6000)
        starts = np.linspace(0, len(system.series) - CONTEXT - 1, N_TRAIN + N_READ).astype(int)
        windows = system.series[starts[:, None] + np.arange(CONTEXT)].astype(np.float32)
        rows = system.series[starts + CONTEXT].astype(np.float32)
        held_out = slice(int(0.8 * N_TRAIN), N_TRAIN)
        for way, module in _ways(windows[: held_out.start], rows[: held_out.start]):
            error = float(((_forecasts(module, windows[held_out]) - rows[held_out]) ** 2).mean())
            scores = _scores(module, windows[N_TRAIN:], system)
            yield {
                "table": "A pre-trained forecaster of single variables",
                "system": name,
                "forecaster": way,
                "held-out error": error,
                "of the mechanism": _error_of_mechanism(system, windows[held_out], rows[held_out]),
                "true edges between variables": int(_between(system.edges).sum()),
                "share of energy between variables": float(_between(scores).sum() / scores.sum()),
                **judged(scores, true_effects(system), system.edges),
            }


def _scores(module, windows: np.ndarray, system: System) -> np.ndarray:
    """Gradient energy of the lags that the system has."""
    n_lags = system.edges.shape[2]
    forecast = attribution.from_torch(module)
    return np.asarray(attribution.gradient_energy(forecast, windows, batch_size=8))[:, :, :n_lags]


def _between(scores: np.ndarray) -> np.ndarray:
    return scores * ~np.eye(N_VARS, dtype=bool)[:, :, None]


def _error_of_mechanism(system: System, windows: np.ndarray, rows: np.ndarray) -> float:
    n_lags = system.edges.shape[2] - 1
    found = np.stack([system.mechanism(jnp.asarray(w[-n_lags:])) for w in windows])
    return float(((found - rows) ** 2).mean())


def _forecasts(module, windows: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        parts = [module(torch.tensor(windows[i : i + 16])) for i in range(0, len(windows), 16)]
    return torch.cat(parts).numpy()


def _ways(windows: np.ndarray, rows: np.ndarray) -> Iterator[tuple]:
    """The module as it is, and with a linear head on its embeddings of all variables."""
    import torch
    from fracast.inference import FracastModel

    nn = torch.nn

    class Embedded(nn.Module):
        """The last state of every variable ``[batch, vars, width]``, its least value and range."""

        def __init__(self):
            super().__init__()
            made = FracastModel.from_pretrained(weights="fp32")
            self.core, self.head = made.core, made.head
            self.median = made.quantiles.index(0.5)
            # The convolutions take any length; shorter ones cost less.
            self.core.W, self.core.level_widths = CONTEXT, [CONTEXT]
            self.core.periodic.W = CONTEXT

        def forward(self, x):
            flat = x.transpose(1, 2).reshape(-1, CONTEXT)
            least = flat.amin(dim=1, keepdim=True)
            size = (flat.amax(dim=1, keepdim=True) - least).clamp(min=1e-5)
            values = ((flat - least) / size)[:, None]
            seen = torch.ones_like(values, dtype=torch.bool)
            return self.core(values, seen, seen.float()), values[:, 0], seen[:, 0], least, size

    class AsItIs(nn.Module):
        """The median forecast of the next row, variable by variable."""

        def __init__(self, embedded):
            super().__init__()
            self.embedded = embedded

        def forward(self, x):
            state, values, seen, least, size = self.embedded(x)
            found = self.embedded.head.forward_horizon(
                state, last_obs=values[:, -1:], ctx=values, ctx_mask=seen
            )
            median = found[:, 0, self.embedded.median]
            return (median[:, None] * size + least).reshape(len(x), -1)

    class WithHead(nn.Module):
        """A linear head on the last state of all variables, by ridge regression."""

        def __init__(self, embedded, windows, rows):
            super().__init__()
            self.embedded = embedded
            inputs = torch.tensor(np.concatenate([*self._batches(windows)]), dtype=torch.float64)
            mean, scale = inputs.mean(dim=0), inputs.std(dim=0) + 1e-6
            unit = (inputs - mean) / scale
            gram = unit.T @ unit + RIDGE * len(unit) * torch.eye(unit.shape[1])
            right = torch.tensor(rows, dtype=torch.float64)
            weight = torch.linalg.solve(gram, unit.T @ (right - right.mean(dim=0)))
            for name, value in (("mean", mean), ("scale", scale), ("weight", weight)):
                self.register_buffer(name, value.float())
            self.register_buffer("level", right.mean(dim=0).float())

        def _batches(self, windows):
            with torch.no_grad():
                for first in range(0, len(windows), 16):
                    yield self.inputs(torch.tensor(windows[first : first + 16])).numpy()

        def inputs(self, x):
            state, _, _, least, size = self.embedded(x)
            scaled = torch.cat([state[:, -1] * size, least, size], dim=1)
            return scaled.reshape(len(x), -1)

        def forward(self, x):
            return (self.inputs(x) - self.mean) / self.scale @ self.weight + self.level

    embedded = Embedded().eval()
    yield "as it is", AsItIs(embedded).eval()
    yield "a head trained on its embeddings", WithHead(embedded, windows, rows).eval()
