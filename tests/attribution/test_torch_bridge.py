"""A PyTorch module read through JAX, against torch.autograd and finite differences."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcause as jc
from jaxcause import InputError, attribution

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
torch.set_num_threads(1)

TIME, VARS = 4, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, TIME, VARS))


class Perceptron(torch.nn.Module):
    """Forecasts of mean, and if asked for of variance."""

    def __init__(self, n_outputs=1):
        super().__init__()
        self.inner = torch.nn.Linear(TIME * VARS, 8)
        self.outer = torch.nn.Linear(8, n_outputs * VARS)
        self.n_outputs = n_outputs

    def forward(self, windows):
        found = self.outer(torch.tanh(self.inner(windows.flatten(1))))
        if self.n_outputs == 1:
            return found
        mean, raw = found.chunk(2, dim=1)
        return mean, torch.nn.functional.softplus(raw) + 0.1


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = torch.nn.LSTM(VARS, 6, batch_first=True)
        self.outer = torch.nn.Linear(6, VARS)

    def forward(self, windows):
        return self.outer(self.cells(windows)[0][:, -1])


class Attention(torch.nn.Module):
    """A token for each variable, as in an inverted Transformer."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Linear(TIME, 8)
        self.layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.outer = torch.nn.Linear(8, 1)

    def forward(self, windows):
        return self.outer(self.layer(self.embed(windows.transpose(1, 2))))[..., 0]


MODULES = {"perceptron": Perceptron, "recurrent": Recurrent, "attention": Attention}


@pytest.fixture(params=MODULES)
def module(request):
    torch.manual_seed(0)
    return MODULES[request.param]().double().eval()


def jacobians_of_torch(module, x=X):
    """[windows, target, time, source], window by window."""
    found = [
        torch.autograd.functional.jacobian(lambda w: module(w[None])[0], torch.tensor(window))
        for window in x
    ]
    return torch.stack(found).numpy()


def as_scores(terms):
    """[windows, target, time, source] averaged to [source, target, lag]."""
    lagged = terms.mean(axis=0)[:, ::-1].transpose(2, 0, 1)
    return np.concatenate([np.zeros_like(lagged[:, :, :1]), lagged], axis=2)


def in_working_precision(x):
    return jnp.asarray(x, jnp.result_type(float))


TOLERANCE = 1e-12 if jax.config.jax_enable_x64 else 1e-6


def test_forecasts_are_those_of_torch(module):
    forecast = attribution.from_torch(module)
    with torch.no_grad():
        expected = module(torch.tensor(X)).numpy()
    x = in_working_precision(X)
    np.testing.assert_allclose(jax.vmap(forecast)(x), expected, atol=TOLERANCE)
    np.testing.assert_allclose(forecast(x[0]), expected[0], atol=TOLERANCE)


def test_derivatives_are_those_of_torch_and_of_finite_differences(module):
    forecast, x = attribution.from_torch(module), in_working_precision(X)
    expected = jacobians_of_torch(module)
    found = jax.jit(jax.vmap(jax.jacrev(forecast)))(x)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    step = 1e-5
    with torch.no_grad():
        for t, j in np.ndindex(TIME, VARS):
            up, down = X.copy(), X.copy()
            up[:, t, j] += step
            down[:, t, j] -= step
            slope = (module(torch.tensor(up)) - module(torch.tensor(down))).numpy() / (2 * step)
            np.testing.assert_allclose(found[:, :, t, j], slope, atol=1e-5)


@pytest.mark.parametrize("n_windows", [1, 2, 7])
@pytest.mark.parametrize("sizes", [(None, None), (1, 1), (3, 2), (64, 3)])
def test_readouts_for_any_batch(module, n_windows, sizes):
    forecast, x = attribution.from_torch(module), in_working_precision(X[:n_windows])
    given = {"batch_size": sizes[0], "target_block": sizes[1]}
    expected = jacobians_of_torch(module, X[:n_windows])
    energy = attribution.gradient_energy(forecast, x, **given)
    np.testing.assert_allclose(energy, as_scores(expected**2), atol=TOLERANCE)
    product = attribution.input_x_gradient(forecast, x, **given)
    by_hand = as_scores(np.abs(expected * X[:n_windows, None]))
    np.testing.assert_allclose(product, by_hand, atol=TOLERANCE)
    signed = attribution.mean_gradient(forecast, x, targets=np.array([2, 0]), **given)
    np.testing.assert_allclose(signed, as_scores(expected)[:, [2, 0]], atol=TOLERANCE)


def test_mean_and_variance():
    torch.manual_seed(0)
    module, x = Perceptron(2).double().eval(), in_working_precision(X)
    found = attribution.score_energy(attribution.from_torch(module), x)
    of_mean = jacobians_of_torch(lambda w: module(w)[0])
    of_variance = jacobians_of_torch(lambda w: module(w)[1])
    variance = module(torch.tensor(X))[1].detach().numpy()[:, :, None, None]
    expected = as_scores(of_mean**2 / variance)
    np.testing.assert_allclose(found.mean_part, expected, atol=10 * TOLERANCE)
    expected = as_scores(of_variance**2 / (2 * variance**2))
    np.testing.assert_allclose(found.variance_part, expected, atol=10 * TOLERANCE)


def test_a_gradient_that_crosses_from_jax_to_torch_and_back(module):
    forecast, x = attribution.from_torch(module), in_working_precision(X)

    @jax.jit
    @jax.grad
    def gradient(scale):
        return (jax.vmap(forecast)(jnp.tanh(scale * x)) ** 2).sum()

    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    (module(torch.tanh(scale * torch.tensor(X))) ** 2).sum().backward()
    np.testing.assert_allclose(gradient(jnp.asarray(0.7, x.dtype)), scale.grad, rtol=1e-5)


def test_nested_batches(module):
    forecast = attribution.from_torch(module)
    x = in_working_precision(RNG.normal(size=(2, 3, TIME, VARS)))
    weights = in_working_precision(RNG.normal(size=(5, VARS)))

    def pulled(window, weight):
        return jax.vjp(forecast, window)[1](weight)[0]

    over_weights = jax.vmap(pulled, (None, 0))
    found = jax.vmap(jax.vmap(over_weights, (0, None)), (0, None))(x, weights)
    jacobians = jacobians_of_torch(module, np.asarray(x, float).reshape(6, TIME, VARS))
    expected = np.einsum("ci,witj->wctj", np.asarray(weights, float), jacobians)
    np.testing.assert_allclose(
        found, expected.reshape(2, 3, 5, TIME, VARS), atol=10 * TOLERANCE, rtol=1e-5
    )


def test_many_large_batches_do_not_wait_for_one_another():
    module = Perceptron().eval()
    x = RNG.normal(size=(20_000, TIME, VARS)).astype(np.float32)
    found = attribution.gradient_energy(attribution.from_torch(module), x, batch_size=4_000)
    assert bool(jnp.isfinite(found).all())


class Doubled(torch.autograd.Function):
    """An operation of somebody's own, which PyTorch cannot batch."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, *gradients):
        assert not torch._C._functorch.is_batchedtensor(gradients[0])
        return gradients[0] * 2


class Wide(torch.nn.Module):
    """More targets than share a backward pass; with an own operation, or blind to the windows."""

    def __init__(self, kind):
        super().__init__()
        self.layer, self.kind = torch.nn.Linear(TIME * VARS, 11), kind

    def forward(self, windows):
        if self.kind == "blind":
            return self.layer.bias.expand(len(windows), -1)
        found = torch.tanh(self.layer(windows.flatten(1)))
        return Doubled.apply(found) if self.kind == "own" else found


@pytest.mark.parametrize("kind", ["plain", "own", "blind"])
def test_targets_that_share_a_backward_pass_have_the_gradients_of_a_loop(kind):
    module = Wide(kind).double().eval()
    with jax.enable_x64():
        forecast = attribution.from_torch(module)
        found = np.asarray(jax.jit(jax.vmap(jax.jacrev(forecast)))(jnp.asarray(X)))
    x = torch.tensor(X, requires_grad=True)
    alone = [
        torch.autograd.grad(module(x)[:, k].sum(), x, materialize_grads=True)[0] for k in range(11)
    ]
    np.testing.assert_allclose(found, torch.stack(alone, dim=1), rtol=1e-12, atol=1e-15)
    assert found.any() == (kind != "blind")


def test_parameters_are_read_at_each_call():
    module = Perceptron().double().eval()
    forecast, x = attribution.from_torch(module), in_working_precision(X)
    before = attribution.gradient_energy(forecast, x)
    with torch.no_grad():
        module.outer.weight.mul_(2)
    after = attribution.gradient_energy(forecast, x)
    np.testing.assert_allclose(after, 4 * before, rtol=1e-5)


def test_single_precision_stays_that_of_the_module():
    module = Perceptron().eval()
    found = attribution.from_torch(module)(in_working_precision(X[0]))
    assert found.dtype == jnp.result_type(float)
    expected = module(torch.tensor(X[:1], dtype=torch.float32))[0].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_from_module_to_graph():
    """The steps of the guide: windows, scores, edges."""

    class Mechanism(torch.nn.Module):
        def forward(self, windows):
            driven = torch.tanh(2 * windows[:, -2, 0]) + 0.5 * windows[:, -1, 1]
            return torch.stack([0.5 * windows[:, -1, 0], driven, windows[:, -3, 1]], dim=1)

    scores = attribution.gradient_energy(
        attribution.from_torch(Mechanism().eval()), in_working_precision(X)
    )
    graph = attribution.select_global_top_k(scores, 4)
    edges = {(source, lag, target) for source, lag, _, target in graph.edges("abc")}
    assert edges == {("a", 1, "a"), ("a", 2, "b"), ("b", 1, "b"), ("b", 3, "c")}


def test_output_chooses_the_first_of_several_steps():
    class Steps(torch.nn.Module):
        def forward(self, windows):
            return {"steps": torch.stack([3 * windows[:, -1], windows[:, 0]], dim=1)}

    with pytest.raises(InputError, match=r"module returns \('dict',\) for windows of shape"):
        attribution.from_torch(Steps().eval())(in_working_precision(X[0]))
    forecast = attribution.from_torch(Steps().eval(), output=lambda y: y["steps"][:, 0])
    np.testing.assert_allclose(forecast(in_working_precision(X[0])), 3 * X[0, -1], rtol=1e-6)


def test_what_cannot_be_read_is_refused(untyped):
    class Detached(torch.nn.Module):
        def forward(self, windows):
            with torch.no_grad():
                return 2 * windows[:, -1]

    class Summed(torch.nn.Module):
        def forward(self, windows):
            return windows.sum()

    with pytest.raises(InputError, match=r"module is a function; give a torch\.nn\.Module"):
        attribution.from_torch(lambda w: w)
    with pytest.raises(InputError, match=r"training mode.*module\.eval\(\)"):
        attribution.from_torch(Perceptron().train())
    with pytest.raises(InputError, match="no derivative"):
        attribution.gradient_energy(attribution.from_torch(Detached().eval()), X)
    forecast = attribution.from_torch(Detached().eval())
    changed = attribution.intervention(forecast, in_working_precision(X), key=jax.random.key(0))
    assert (np.diagonal(changed[:, :, 1]) > 0).all()
    with pytest.raises(InputError, match=r"returns \(\) for windows of shape \(2, 4, 3\)"):
        attribution.gradient_energy(attribution.from_torch(Summed().eval()), X)
    late = Perceptron().eval()
    forecast = attribution.from_torch(late)
    late.train()
    with pytest.raises(InputError, match="training mode"):
        attribution.gradient_energy(forecast, X.astype(np.float32))


def test_without_torch_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="pip install torch"):
        jc.attribution.from_torch(object())
