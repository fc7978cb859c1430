"""A forecaster in PyTorch as a function that JAX can differentiate."""

import contextlib
import importlib
import itertools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray, PredictFn

TOGETHER = 8
"""Cotangents of the same windows that share a backward pass, if a forward pass is brief."""
BRIEF = 2.5e-3
"""Seconds of a forward pass, up to which calls cost as much as arithmetic."""


def from_torch(module: Any, *, output: Callable[[Any], Any] | None = None) -> PredictFn:
    """Wrap a PyTorch forecaster, so that every readout that asks for derivatives can read it.

    The result is a ``predict_fn`` as any other: it can be batched by ``vmap``, be part of a
    function under ``jit``, and be differentiated once in reverse mode (``grad``, ``vjp``,
    ``jacrev``). PyTorch computes forecasts and derivatives, on the device and in the precision of
    the module, and JAX calls it with whole batches. The parameters stay in PyTorch: each call
    reads them as they are then. Nothing is copied but windows, forecasts and gradients.

    Relevance (LRP) cannot be had: it needs the layers, and `jaxcause.attribution.relevance` of the
    result is input × gradient. Neither can second derivatives and forward mode.

    Args:
        module: A ``torch.nn.Module`` in evaluation mode that maps windows ``[batch, time, vars]``,
            newest row last, to the next rows ``[batch, vars]``, or to a pair of mean and variance
            for `jaxcause.attribution.score_energy`. It must treat the windows of a batch one by
            one, as layers do in evaluation mode.
        output: What turns the result of the module into these, such as ``lambda y: y[:, 0]`` where
            it forecasts several steps ``[batch, steps, vars]``.

    Returns:
        A forecast of the next row from one window ``[time, vars]``.

    Raises:
        InputError: PyTorch is not installed, this is no module, it is in training mode, it returns
            something else, or a derivative is asked for that it does not have. The last two are
            found when the result is first given a window.

    ::

        forecast = jc.attribution.from_torch(module.eval())
        scores = jc.attribution.gradient_energy(forecast, windows)
        graph = jc.attribution.select_fdr(scores)
    """
    bridge = Bridge(_checked_module(module), output or _as_it_is)

    @jax.custom_vjp
    def forecast(window: Float[Array, "time vars"]) -> Any:
        like = bridge.shapes(window, differentiated=False)
        return jax.pure_callback(bridge.forward, like, window, vmap_method="expand_dims")

    def forward(window: Float[Array, "time vars"]) -> tuple[Any, Array]:
        like = bridge.shapes(window, differentiated=True)
        found = jax.pure_callback(bridge.forward, like, window, vmap_method="expand_dims")
        return found, window

    def backward(window: Float[Array, "time vars"], cotangent: Any) -> tuple[Array]:
        like = jax.ShapeDtypeStruct(window.shape, window.dtype)
        found = jax.pure_callback(
            bridge.backward, like, window, cotangent, vmap_method="expand_dims"
        )
        return (found,)

    forecast.defvjp(forward, backward)
    return forecast


class Bridge(NamedTuple):
    """Forecasts and gradients of a module, from arrays of the host to arrays of the host."""

    module: Any
    output: Callable[[Any], Any]

    def shapes(self, window: Any, *, differentiated: bool) -> Any:
        """Shapes of the forecast of one window: that of two windows of zeros is looked at."""
        _checked_module(self.module)
        with _Place.of(self.module) as place:
            zeros = place.tensor(np.zeros((2, *window.shape), window.dtype))
            outputs = self._outputs(zeros.requires_grad_())
        if differentiated and not any(y.requires_grad for y in outputs):
            raise InputError(
                "module returns what has no derivative with respect to the windows; leave out "
                "torch.no_grad, detach and conversions to numpy inside it, or read it by "
                "intervention, which needs none"
            )
        found = [jax.ShapeDtypeStruct(tuple(y.shape[1:]), window.dtype) for y in outputs]
        return found[0] if len(found) == 1 else tuple(found)

    def forward(self, windows: AnyArray) -> Any:
        """Forecasts of ``[*batch, time, vars]``."""
        given = np.asarray(windows)
        batch = given.shape[:-2]
        with _Place.of(self.module) as place, _torch().no_grad():
            outputs = self._outputs(place.tensor(given.reshape(-1, *given.shape[-2:])))
            found = [_to_host(y, given.dtype).reshape(*batch, *y.shape[1:]) for y in outputs]
        return found[0] if len(found) == 1 else tuple(found)

    def backward(self, windows: AnyArray, cotangent: Any) -> np.ndarray:
        """Gradients ``[*batch, time, vars]`` of the products of forecasts and cotangents.

        An axis of length 1 of the windows that is longer in the cotangents holds several
        cotangents of the same windows: these are forecast once.
        """
        given = np.asarray(windows)
        cotangents = [np.asarray(c) for c in jax.tree.leaves(cotangent)]
        axes = _Axes.of(given.shape[:-2], [c.shape[: given.ndim - 2] for c in cotangents])
        with _Place.of(self.module) as place:
            x = place.tensor(axes.rows(given)).requires_grad_()
            began = time.perf_counter()
            outputs = self._outputs(x)
            is_brief = time.perf_counter() - began < BRIEF
            weights = [
                place.tensor(axes.of_rows(c)).to(y)
                for y, c in zip(outputs, cotangents, strict=True)
            ]
            kept = [at for at, y in enumerate(outputs) if y.requires_grad]
            chosen = [outputs[at] for at in kept], x, [weights[at] for at in kept]
            found = _gradients(*chosen, together=TOGETHER if is_brief else 1)
            return axes.restored(_to_host(found, given.dtype))

    def _outputs(self, x: Any) -> list[Any]:
        """What the module returns for some windows, as a list of tensors."""
        torch, found = _torch(), self.output(self.module(x))
        outputs = list(found) if isinstance(found, tuple | list) else [found]
        right = all(isinstance(y, torch.Tensor) and y.shape[:1] == x.shape[:1] for y in outputs)
        if not outputs or not right:
            shapes = [tuple(getattr(y, "shape", [type(y).__name__])) for y in outputs]
            raise InputError(
                f"module returns {shapes[0] if len(shapes) == 1 else shapes} for windows of shape "
                f"{tuple(x.shape)}; it must return [batch, vars], or output= must make this of it"
            )
        return outputs


class _Place(contextlib.ExitStack):
    """Where and how a module computes: its device, its precision, and settings of PyTorch."""

    device: Any = None
    dtype: Any = None

    @classmethod
    def of(cls, module: Any) -> "_Place":
        """The place of the first parameter or buffer of floating numbers."""
        torch, made = _torch(), cls()
        tensors = itertools.chain(module.parameters(), module.buffers())
        first = next((t for t in tensors if t.is_floating_point()), None)
        if first is not None:
            made.device, made.dtype = first.device, first.dtype
            recurrent = (isinstance(m, torch.nn.RNNBase) for m in module.modules())
            if first.is_cuda and any(recurrent):
                # cuDNN differentiates recurrent layers in training mode only.
                made.enter_context(torch.backends.cudnn.flags(enabled=False))
        made.enter_context(torch.enable_grad())
        return made

    def tensor(self, values: np.ndarray) -> Any:
        """A copy of an array, which may be read-only, in this place."""
        wide = np.float64 if values.dtype == np.float64 else np.float32
        made = _torch().tensor(np.asarray(values, wide))
        return made.to(device=self.device, dtype=self.dtype)


class _Axes(NamedTuple):
    """Leading axes of windows and cotangents, as rows of windows and cotangents for each row."""

    order: tuple[int, ...]
    lead: tuple[int, ...]
    n_cotangents: int

    @classmethod
    def of(cls, windows: tuple[int, ...], cotangents: list[tuple[int, ...]]) -> "_Axes":
        lead = np.broadcast_shapes(windows, *cotangents)
        several = [a for a, n in enumerate(windows) if n < lead[a]]
        order = (*several, *(a for a in range(len(lead)) if a not in several))
        return cls(order, lead, int(np.prod([lead[a] for a in several], dtype=int)))

    def rows(self, windows: np.ndarray) -> np.ndarray:
        """``[*lead, time, vars]``, with several axes of length 1, to ``[rows, time, vars]``."""
        return self._ordered(windows).reshape(-1, *windows.shape[-2:])

    def of_rows(self, cotangent: np.ndarray) -> np.ndarray:
        """``[*lead, vars]`` to ``[cotangents, rows, vars]``."""
        rest = cotangent.shape[len(self.lead) :]
        whole = np.broadcast_to(cotangent, (*self.lead, *rest))
        return self._ordered(whole).reshape(self.n_cotangents, -1, *rest)

    def restored(self, found: np.ndarray) -> np.ndarray:
        """``[cotangents, rows, time, vars]`` to ``[*lead, time, vars]``."""
        apart = found.reshape(*(self.lead[a] for a in self.order), *found.shape[2:])
        n_lead = len(self.order)
        back = tuple(int(a) for a in np.argsort(self.order))
        return apart.transpose(*back, *range(n_lead, apart.ndim))

    def _ordered(self, values: np.ndarray) -> np.ndarray:
        return values.transpose(*self.order, *range(len(self.order), values.ndim))


def _gradients(outputs: list[Any], x: Any, weights: list[Any], *, together: int) -> Any:
    """Gradients ``[cotangents, *x.shape]`` of the products of outputs with several cotangents.

    So many cotangents share a backward pass, which spares small modules most of the time of its
    calls, and keeps memory in bounds; large ones gain nothing. One after the other where PyTorch
    cannot batch an operation. All ways give the same gradients.
    """
    torch, n = _torch(), len(weights[0])

    def of(rows: int | slice, *, last: bool) -> Any:
        (found,) = torch.autograd.grad(
            outputs,
            x,
            [weight[rows] for weight in weights],
            retain_graph=not last,
            materialize_grads=True,
            is_grads_batched=isinstance(rows, slice),
        )
        return found

    if together == 1:
        return torch.stack([of(row, last=row + 1 == n) for row in range(n)])
    try:
        parts = [slice(first, min(first + together, n)) for first in range(0, n, together)]
        found = [of(part, last=False).expand(part.stop - part.start, *x.shape) for part in parts]
    except RuntimeError:
        return torch.stack([of(row, last=row + 1 == n) for row in range(n)])
    return torch.cat(found)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise InputError("from_torch needs PyTorch; pip install torch") from None


def _checked_module(module: Any) -> Any:
    if not isinstance(module, _torch().nn.Module):
        raise InputError(
            f"module is a {type(module).__name__}; give a torch.nn.Module, in whose forward any "
            "function of tensors can be called"
        )
    if module.training:
        raise InputError(
            "module is in training mode, in which dropout draws at random; call module.eval()"
        )
    return module


def _to_host(tensor: Any, dtype: np.dtype) -> np.ndarray:
    torch = _torch()
    wide = torch.float64 if dtype == np.float64 else torch.float32
    return tensor.detach().to("cpu", wide).numpy().astype(dtype, copy=False)


def _as_it_is(found: Any) -> Any:
    return found
