"""PyTorch forecasters read through JAX: time beside PyTorch alone, and agreement of gradients.

PyTorch alone reads the same windows in the same batches: one forward pass, one backward pass for
each target, and the mean of the squares. Times are the least of several turns, taken in
alternation, in seconds of the processor (of all threads), which other work on the machine hardly
changes; where PyTorch is on a GPU, in seconds of the clock. With `fracast` installed, a pre-trained
forecaster that ships its weights is read too: as it is, and with a head trained on its embeddings.
"""

import importlib.util
import time

import numpy as np

from benchmarks.core.timing import say
from jaxcause import attribution

N_WINDOWS, BATCH, TURNS = 1024, 64, 5
SIZES = ((5, 3), (10, 5), (25, 10))


def run(*, quick: bool = False) -> list[dict]:
    """Rows of modules and sizes, and those of a pre-trained forecaster."""
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("python -m benchmarks bridge needs PyTorch; pip install torch")
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for n_vars, max_lag in SIZES[: 1 if quick else None]:
        for name, make in _modules(torch).items():
            rows.append(_beside_torch(torch, name, make(n_vars, max_lag).eval(), n_vars, max_lag))
            say(str(rows[-1]))
    if importlib.util.find_spec("fracast") is not None and not quick:
        from benchmarks.pretrained import read_fracast

        for row in read_fracast():
            say(str(row))
            rows.append(row)
    return rows


def _beside_torch(torch, name: str, module, n_vars: int, max_lag: int) -> dict:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    module = module.to(device)
    x = np.random.default_rng(0).normal(size=(N_WINDOWS, max_lag, n_vars)).astype(np.float32)
    forecast = attribution.from_torch(module)

    def through_jax() -> np.ndarray:
        return np.asarray(attribution.gradient_energy(forecast, x, batch_size=BATCH))

    def alone() -> np.ndarray:
        # cuDNN differentiates recurrent layers in training mode only.
        with torch.backends.cudnn.flags(enabled=name != "LSTM"):
            return _energy_of_torch(torch, module, x, device)

    differ = np.abs(through_jax() - alone()).max() / alone().max()
    now = time.perf_counter if device == "cuda" else time.process_time
    seconds: dict = {through_jax: [], alone: []}
    for _ in range(TURNS):
        for read, taken in seconds.items():
            began = now()
            read()
            taken.append(now() - began)
    ours, theirs = (min(seconds[read]) / N_WINDOWS for read in (through_jax, alone))
    return {
        "table": "Time beside PyTorch alone",
        "module": name,
        "device of PyTorch": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "n": n_vars,
        "L": max_lag,
        "parameters": sum(p.numel() for p in module.parameters()),
        "µs a window": 1e6 * ours,
        "PyTorch alone": 1e6 * theirs,
        "ratio": ours / theirs,
        "largest difference": float(differ),
    }


def _energy_of_torch(torch, module, x: np.ndarray, device: str) -> np.ndarray:
    """Mean squared gradients ``[source, target, lag]`` without JAX."""
    total = 0
    for first in range(0, len(x), BATCH):
        windows = torch.tensor(x[first : first + BATCH], device=device).requires_grad_()
        forecast = module(windows)
        squares = []
        for target in range(forecast.shape[1]):
            chosen = torch.zeros_like(forecast)
            chosen[:, target] = 1
            (found,) = torch.autograd.grad(forecast, windows, chosen, retain_graph=True)
            squares.append((found**2).sum(dim=0))
        total = total + torch.stack(squares)
    mean = (total / len(x)).cpu().numpy()[:, ::-1].transpose(2, 0, 1)
    return np.concatenate([np.zeros_like(mean[:, :, :1]), mean], axis=2)


def _modules(torch) -> dict:
    """Modules of a common kind, from numbers of variables and lags."""
    nn = torch.nn

    class Recurrent(nn.Module):
        def __init__(self, n_vars):
            super().__init__()
            self.cells = nn.LSTM(n_vars, 64, batch_first=True)
            self.out = nn.Linear(64, n_vars)

        def forward(self, windows):
            return self.out(self.cells(windows)[0][:, -1])

    class Inverted(nn.Module):
        """A token for each variable, as in iTransformer."""

        def __init__(self, max_lag):
            super().__init__()
            self.embed = nn.Linear(max_lag, 64)
            layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.out = nn.Linear(64, 1)

        def forward(self, windows):
            return self.out(self.layers(self.embed(windows.transpose(1, 2))))[..., 0]

    def perceptron(n_vars, max_lag):
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(n_vars * max_lag, 128),
            nn.GELU(),
            nn.Linear(128, 128),
            nn.GELU(),
            nn.Linear(128, n_vars),
        )

    return {
        "MLP": perceptron,
        "LSTM": lambda n_vars, _: Recurrent(n_vars),
        "Transformer, a token a variable": lambda _, max_lag: Inverted(max_lag),
    }
