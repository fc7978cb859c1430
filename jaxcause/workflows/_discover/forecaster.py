"""A trained forecaster together with all that is needed to use it again."""

import dataclasses
import hashlib
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
from safetensors.numpy import save as serialised

from jaxcause._checks import InputError, check_choice
from jaxcause.io._files import write_whole
from jaxcause.models.forecaster import ForecasterConfig, Params, init_params, predictor
from jaxcause.series import TRANSFORMS, Transform, Trend, after_change

FORMAT = "jaxcause.forecaster.1"
KEYS = frozenset(
    ("format", "config", "names", "resample", "weight", "clock", "checksum")
    + ("transform", "level", "shape")
)
"""All keys that the metadata of a file may have."""


@dataclasses.dataclass(frozen=True)
class TrainedForecaster:
    """Configuration, parameters, and the transform of the series they were trained on.

    Args:
        config: Sizes of the model.
        params: Its parameters.
        transform: From the units of the data to those of the model.
        names: Names of the variables.
        weight: Share of the Transformer in the forecast; the rest is a linear model's.
        level: What the changes that it forecasts are of; None if it forecasts values.
        resample: Rows of the data that one row of the model is the mean of; None if those rows are
            the cells of a grid of time.
        trend: What was taken out of the series before; None if nothing was.
    """

    config: ForecasterConfig
    params: Params
    transform: Transform
    names: tuple[str, ...]
    weight: float = 1.0
    level: Transform | None = None
    resample: int | None = 1
    trend: Trend | None = None

    @property
    def predict_fn(self) -> Partial:
        """Forecast of the next row from one window ``[max_lag, vars]``, in transformed units."""
        return predictor(self.config, self.params)

    def predict(
        self, past: Float[np.ndarray, "time vars"], *, first_row: float | None = None
    ) -> Float[np.ndarray, "vars"]:
        """Forecast the row after ``past``, in the units of the data.

        A forecaster with ``resample=k`` takes at least ``max_lag * k`` rows, and forecasts the mean
        of the next ``k``. One of changes needs a row more, or ``k`` rows.

        Args:
            past: The newest rows.
            first_row: Where the first of them stands in the series of the training, counted from 0;
                needed by a forecaster without trend or seasons, which adds them to its forecast.

        Raises:
            InputError: ``past`` has too few rows, or ``first_row`` is missing.
        """
        every = self.resample or 1
        n_needed = (self.config.max_lag + (self.level is not None)) * every
        given = np.asarray(past, np.float64)
        if given.ndim != 2 or len(given) < n_needed:
            raise InputError(
                f"past has shape {given.shape}, but must be [time, vars] and hold {n_needed} rows"
            )
        rows = given[-n_needed:].reshape(-1, every, given.shape[1]).mean(axis=1)
        places = self._places(len(given) - n_needed, len(rows) + 1, first_row)
        if self.trend is not None:
            rows = self.trend.out_of(rows, places[:-1])
        moved = rows if self.level is None else np.diff(self.level(rows), axis=0)
        forecast = self.predict_fn(jnp.asarray(self.transform(moved), jnp.float32))
        change = self.transform.inverse(np.asarray(forecast, np.float64)[None])
        found = after_change(self.level, change, rows[-1:])
        return (found if self.trend is None else self.trend.back_in(found, places[-1:]))[0]

    def _places(
        self, n_skipped: int, n_rows: int, first_row: float | None
    ) -> Float[np.ndarray, "rows"]:
        """Where some rows of the model stand in the series of the training."""
        if self.trend is None:
            return np.arange(n_rows, dtype=float)
        if first_row is None:
            raise InputError(
                "first_row is missing: this forecaster goes without trend and seasons, so that it "
                "must know where past begins in the series that it was trained on"
            )
        return (first_row + n_skipped) / (self.resample or 1) + np.arange(n_rows)

    def save(self, path: str | Path) -> None:
        """Write everything to one safetensors file, with a checksum.

        Raises:
            InputError: It cannot be written.
        """
        tensors = {
            f"params/{name}": np.ascontiguousarray(value)
            for name, value in traverse_util.flatten_dict(_text_keys(self.params), sep="/").items()
        }
        if self.trend is not None:
            tensors["clock/mean"] = np.ascontiguousarray(self.trend.mean)
            tensors["clock/coefficients"] = np.ascontiguousarray(self.trend.coefficients)
        shape = None if self.trend is None else self.trend.shape
        stages = {"transform": self.transform, "level": self.level, "shape": shape}
        for stage, fitted in stages.items():
            for name, value in ({} if fitted is None else fitted._asdict()).items():
                if name != "kind":
                    tensors[f"{stage}/{name}"] = np.ascontiguousarray(value)
        metadata = {
            "format": FORMAT,
            "config": json.dumps(dataclasses.asdict(self.config)),
            "names": json.dumps(list(self.names)),
            "resample": json.dumps(self.resample),
            "weight": repr(float(self.weight)),
        }
        if self.trend is not None:
            metadata["clock"] = json.dumps(self.trend[:4])
        metadata |= {stage: fitted.kind for stage, fitted in stages.items() if fitted is not None}
        metadata["checksum"] = _checksum(metadata, tensors)
        write_whole(path, serialised(tensors, metadata=metadata))

    @classmethod
    def load(cls, path: str | Path) -> "TrainedForecaster":
        """Read what `save` wrote.

        Raises:
            InputError: The file cannot be read, is damaged, or holds something else.
        """
        if Path(path).exists() and not Path(path).is_file():
            raise InputError(f"cannot read a forecaster from {path}: it is no file; check the path")
        try:
            with safe_open(Path(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, TypeError) as error:
            raise InputError(f"cannot read a forecaster from {path}: {error}") from None
        if metadata.get("format") != FORMAT:
            raise InputError(f"{path} holds no {FORMAT}; write it with TrainedForecaster.save")
        # A damaged key would leave a file without a checksum, so no unknown key is accepted.
        unknown = sorted(metadata.keys() - KEYS)
        if unknown:
            raise InputError(
                f"{path} is damaged or of another version (it holds {unknown[0]!r}); "
                "train or write it again"
            )
        written = metadata.pop("checksum", None)
        if written is not None and written != _checksum(metadata, tensors):
            raise InputError(f"{path} is damaged (its checksum differs); train or write it again")
        try:
            found = cls._of(metadata, tensors)
            _check_consistent(found)
        except (LookupError, TypeError, ValueError, AttributeError, MemoryError) as error:
            raise InputError(
                f"{path} is damaged or was changed: {error}; train or write it again"
            ) from None
        return found

    @classmethod
    def _of(cls, metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> "TrainedForecaster":
        def part(of: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(of): v for k, v in tensors.items() if k.startswith(of)}

        def stage(name: str) -> Transform:
            return Transform(kind=metadata[name], **part(f"{name}/"))

        return cls(
            config=ForecasterConfig(**json.loads(metadata["config"])),
            params=jax.tree.map(
                jnp.asarray, _number_keys(traverse_util.unflatten_dict(part("params/"), sep="/"))
            ),
            transform=stage("transform"),
            names=tuple(json.loads(metadata["names"])),
            weight=float(metadata.get("weight", 1.0)),
            level=stage("level") if "level" in metadata else None,
            resample=json.loads(metadata.get("resample", "1")),
            trend=_trend_of(metadata["clock"], **part("clock/"))._replace(
                shape=stage("shape") if "shape" in metadata else None
            )
            if "clock" in metadata
            else None,
        )


def _trend_of(written: str, mean: np.ndarray, coefficients: np.ndarray) -> Trend:
    linear, periods, centre, scale = json.loads(written)
    return Trend(bool(linear), tuple(map(float, periods)), centre, scale, mean, coefficients)


def _checksum(metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> str:
    """Of everything else in the file."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"\n{name} {value.dtype} {value.shape}\n".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _fresh_params(config: ForecasterConfig) -> Params:
    """Parameters of the same shapes; those that a program makes are not computed."""
    if config.attention == "content":
        return jax.eval_shape(lambda key: init_params(key, config), jax.random.key(0))
    return init_params(jax.random.key(0), config)


def _check_consistent(found: "TrainedForecaster") -> None:
    """Raise ValueError unless the parameters are those of the configuration, and finite."""
    n_vars = found.config.n_vars
    expected = _fresh_params(found.config)
    shapes: list[dict[Any, Any]] = []
    for tree in (expected, found.params):
        leaves: dict[Any, Any] = dict(traverse_util.flatten_dict(tree))
        shapes.append({name: leaf.shape for name, leaf in leaves.items()})
    wrong = [name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)]
    if wrong:
        where = "/".join(map(str, wrong[0]))
        raise ValueError(
            f"its configuration asks for {where} of shape {shapes[0].get(wrong[0])}, and it holds "
            f"{shapes[1].get(wrong[0])}"
        )
    if len(found.names) != n_vars or not all(isinstance(name, str) for name in found.names):
        raise ValueError(f"it names {len(found.names)} of {n_vars} variables")
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found.params)):
        raise ValueError("a parameter is not finite")
    if not 0 <= found.weight <= 1:
        raise ValueError(f"the weight of the Transformer is {found.weight}")
    if not (found.resample is None or (isinstance(found.resample, int) and found.resample > 0)):
        raise ValueError(f"it resamples by {found.resample}")
    if found.trend is not None and found.trend.at(np.zeros(1)).shape != (1, n_vars):
        raise ValueError(f"its trend is of {found.trend.coefficients.shape[1]} variables")
    for fitted in (found.transform, found.level):
        if fitted is not None:
            check_choice("transform", fitted.kind, TRANSFORMS)
            one = fitted.inverse(fitted(np.zeros((1, n_vars))))
            if one.shape != (1, n_vars):
                raise ValueError(f"its transform is of {one.shape[1]} variables")


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
