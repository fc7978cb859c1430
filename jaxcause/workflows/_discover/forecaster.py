"""A trained forecaster together with all that is needed to use it again."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jax.tree_util import Partial
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from jaxcause._checks import InputError
from jaxcause.models.forecaster import ForecasterConfig, Params, predictor
from jaxcause.series import Transform

FORMAT = "jaxcause.forecaster.1"


@dataclasses.dataclass(frozen=True)
class TrainedForecaster:
    """Configuration, parameters, and the transform of the series they were trained on.

    Args:
        config: Sizes of the model.
        params: Its parameters.
        transform: From the units of the data to those of the model.
        names: Names of the variables.
        weight: Share of the Transformer in the forecast; the rest is a linear model's.
    """

    config: ForecasterConfig
    params: Params
    transform: Transform
    names: tuple[str, ...]
    weight: float = 1.0

    @property
    def predict_fn(self) -> Partial:
        """Forecast of the next row from one window ``[max_lag, vars]``, in transformed units."""
        return predictor(self.config, self.params)

    def predict(self, past: Float[np.ndarray, "time vars"]) -> Float[np.ndarray, "vars"]:
        """Forecast the row after ``past``, in the units of the data."""
        window = self.transform(np.asarray(past, np.float64)[-self.config.max_lag :])
        forecast = self.predict_fn(jnp.asarray(window, jnp.float32))
        return self.transform.inverse(np.asarray(forecast, np.float64)[None])[0]

    def save(self, path: str | Path) -> None:
        """Write everything to one safetensors file."""
        tensors = {
            f"params/{name}": np.ascontiguousarray(value)
            for name, value in traverse_util.flatten_dict(_text_keys(self.params), sep="/").items()
        }
        for name, value in self.transform._asdict().items():
            if name != "kind":
                tensors[f"transform/{name}"] = np.ascontiguousarray(value)
        metadata = {
            "format": FORMAT,
            "config": json.dumps(dataclasses.asdict(self.config)),
            "names": json.dumps(list(self.names)),
            "transform": self.transform.kind,
            "weight": repr(float(self.weight)),
        }
        save_file(tensors, Path(path), metadata=metadata)

    @classmethod
    def load(cls, path: str | Path) -> "TrainedForecaster":
        """Read what `save` wrote.

        Raises:
            InputError: The file cannot be read, or holds something else.
        """
        try:
            with safe_open(Path(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise InputError(f"cannot read a forecaster from {path}: {error}") from None
        if metadata.get("format") != FORMAT:
            raise InputError(f"{path} holds no {FORMAT}; write it with TrainedForecaster.save")
        params = {
            k.removeprefix("params/"): v for k, v in tensors.items() if k.startswith("params/")
        }
        fields = {
            k.removeprefix("transform/"): v
            for k, v in tensors.items()
            if k.startswith("transform/")
        }
        return cls(
            config=ForecasterConfig(**json.loads(metadata["config"])),
            params=jax.tree.map(
                jnp.asarray, _number_keys(traverse_util.unflatten_dict(params, sep="/"))
            ),
            transform=Transform(kind=metadata["transform"], **fields),
            names=tuple(json.loads(metadata["names"])),
            weight=float(metadata.get("weight", 1.0)),
        )


class DiscoveryInterrupted(KeyboardInterrupt):
    """Raised when training is interrupted; ``forecaster`` is the best one so far."""

    def __init__(self, message: str, forecaster: TrainedForecaster) -> None:
        """Keep the forecaster."""
        super().__init__(message)
        self.forecaster = forecaster


def _text_keys(tree: Any) -> Any:
    return {str(k): _text_keys(v) for k, v in tree.items()} if isinstance(tree, dict) else tree


def _number_keys(tree: Any) -> Any:
    """Undo `_text_keys`: list positions in a pure dictionary of nnx are whole numbers."""
    if not isinstance(tree, dict):
        return tree
    return {int(k) if k.isdigit() else k: _number_keys(v) for k, v in tree.items()}
