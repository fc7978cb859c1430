"""A two-block attention network in numpy, and its relevance propagated one layer at a time."""

from typing import NamedTuple

import numpy as np
import scipy.special

EPSILON = 1e-6
TOKENS, WIDTH, HEADS, HIDDEN = 5, 6, 2, 7


class Linear(NamedTuple):
    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, x):
        return x @ self.weights + self.bias

    def back(self, x, relevance):
        """R_i = Σ_j x_i w_ij R_j / z_j: each input's share of every output."""
        shares = x[:, :, None] * self.weights[None] / self(x)[:, None, :]
        return (shares * relevance[:, None, :]).sum(axis=2)


def silu(x):
    return x * scipy.special.expit(x)


def network(rng, *, biases):
    def linear(n_in, n_out):
        bias = rng.normal(size=n_out) if biases else np.zeros(n_out)
        return Linear(rng.normal(size=(n_in, n_out)) / np.sqrt(n_in), bias)

    def block():
        return {
            "rms_scale": rng.uniform(0.5, 2, WIDTH),
            "q": linear(WIDTH, WIDTH),
            "k": linear(WIDTH, WIDTH),
            "v": linear(WIDTH, WIDTH),
            "out": linear(WIDTH, WIDTH),
            "layer_scale": rng.uniform(0.5, 2, WIDTH),
            "layer_bias": rng.normal(size=WIDTH) if biases else np.zeros(WIDTH),
            "signal": linear(WIDTH, HIDDEN),
            "gate": linear(WIDTH, HIDDEN),
            "down": linear(HIDDEN, WIDTH),
        }

    return {"blocks": [block(), block()], "read": linear(WIDTH, 1)}


def split(x):
    return x.reshape(TOKENS, HEADS, -1).swapaxes(0, 1)


def merge(x):
    return x.swapaxes(0, 1).reshape(TOKENS, -1)


def attend(q, k, v, mask):
    logits = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    weights = scipy.special.softmax(np.where(mask, logits, -np.inf), axis=-1)
    return weights, weights @ v


def attention_back(q, k, v, mask, relevance, conservative):
    """Relevance of q, k and v from that of the mixed values, one head at a time."""
    weights, mixed = attend(q, k, v, mask)
    # The share of weights[h,i,j] * v[h,j,d] in mixed[h,i,d].
    shares = (weights[:, :, :, None] * v[:, None]) / mixed[:, :, None] * relevance[:, :, None]
    if conservative:
        return np.zeros_like(q), np.zeros_like(k), shares.sum(axis=1)
    of_weights, of_values = shares.sum(axis=3) / 2, shares.sum(axis=1) / 2
    # The softmax by its gradient: R_s = s (R_a - a Σ R_a).
    logits = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    of_logits = logits * (of_weights - weights * of_weights.sum(axis=-1, keepdims=True))
    products = q[:, :, None] * k[:, None] / np.sqrt(q.shape[-1])
    shares = products / logits[..., None] * of_logits[..., None] / 2
    return shares.sum(axis=2), shares.sum(axis=1), of_values


def relevance(net, x, mask, conservative):
    """Output at the last token, and the relevance [tokens, width] of the input."""
    states = []
    for block in net["blocks"]:
        state = {"x": x}
        state["n"] = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + EPSILON) * block["rms_scale"]
        state["qkv"] = [split(block[name](state["n"])) for name in "qkv"]
        state["mixed"] = merge(attend(*state["qkv"], mask)[1])
        state["middle"] = x + block["out"](state["mixed"])
        centre = np.eye(WIDTH) - 1 / WIDTH
        spread = np.sqrt((state["middle"] @ centre).var(axis=1) + EPSILON)
        # One linear map a token: centring, and division by a constant.
        state["norms"] = [
            Linear(centre * block["layer_scale"] / s, block["layer_bias"]) for s in spread
        ]
        state["m"] = np.stack([f(t) for f, t in zip(state["norms"], state["middle"], strict=True)])
        signal, gate = block["signal"](state["m"]), silu(block["gate"](state["m"]))
        state["hidden"] = signal * gate
        x = state["x_next"] = state["middle"] + block["down"](state["hidden"])
        states.append(state)
    output = net["read"](x)[-1, 0]
    r = np.zeros((TOKENS, 1))
    r[-1] = output
    r = net["read"].back(x, r)
    for block, state in zip(net["blocks"][::-1], states[::-1], strict=True):
        branch = r * block["down"](state["hidden"]) / state["x_next"]
        r = r * state["middle"] / state["x_next"]
        half = block["down"].back(state["hidden"], branch) / 2
        of_m = block["signal"].back(state["m"], half) + block["gate"].back(state["m"], half)
        r = r + np.concatenate(
            [
                norm.back(token[None], of[None])
                for norm, token, of in zip(state["norms"], state["middle"], of_m, strict=True)
            ]
        )
        branch = r * block["out"](state["mixed"]) / state["middle"]
        r = r * state["x"] / state["middle"]
        of_mixed = split(block["out"].back(state["mixed"], branch))
        parts = attention_back(*state["qkv"], mask, of_mixed, conservative)
        for name, part in zip("qkv", parts, strict=True):
            r = r + block[name].back(state["n"], merge(part))
    return output, r
