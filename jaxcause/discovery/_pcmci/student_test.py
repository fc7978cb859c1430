"""Many partial correlations given sets of many sizes, with p-values by Student's t.

PCMCI makes thousands of tests given dozens of nodes each: the unrolled kernel of the searches is
for sets of a few nodes. Here :math:`1 - r^2` comes without cancellation, which Student's test needs
where r is near 1.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int

from jaxcause._namespace import namespace
from jaxcause._small_work import pays_to_compile
from jaxcause._typing import AnyArray, CIResult
from jaxcause.discovery._pcmci.shares import in_shares
from jaxcause.stats import HoledSamples
from jaxcause.stats._elimination import eliminate, redundant_below
from jaxcause.stats._tails import student_p_value

WIDTHS = (2, 4, 8, 16, 32, 48, 64, 96, 128)
"""Sets are padded to one of these sizes, beyond the last to a multiple of it."""
ROWS = 4096
"""Tests of one call; fewer are padded, at no cost but memory."""
LARGE_SET = 6
"""Sets from this size on are eliminated by LAPACK, row by row."""
CELLS = 1 << 24
"""Largest number of correlations that an accelerator gathers at a time."""
LANES = 32
"""Rows that a CPU takes at a time, so that they stay in its cache; an accelerator takes more."""
WORTH_SHARING = 2e-3
"""Estimated seconds of work from which on the devices of a mesh share it."""


class StudentTest(NamedTuple):
    """Partial correlations among the nodes of ``data``, estimated from ``n_samples`` rows.

    Args:
        data: Correlations; or rows with holes, of which a test uses those that hold all its nodes.
        n_samples: Rows behind them.
        n_vars: Nodes from this number on are older than those before; 0 if that is not known.
        mesh: Devices that share the tests; None for one. What is found does not depend on it.
    """

    data: Float[np.ndarray, "nodes nodes"] | HoledSamples
    n_samples: int
    n_vars: int = 0
    mesh: Mesh | None = None

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.data.n_nodes if isinstance(self.data, HoledSamples) else len(self.data)

    def __call__(
        self,
        x: Int[np.ndarray, "rows"],
        y: Int[np.ndarray, "rows"],
        cond: Int[np.ndarray, "rows k"],
    ) -> CIResult:
        r"""Test x ⊥ y | S for each row.

        With r the partial correlation and N − 2 − |S| degrees of freedom ν,
        :math:`p = I_{1 - r^2}(\nu / 2, 1 / 2)`, which is Student's t-test of
        :math:`r \sqrt{\nu / (1 - r^2)}`. Copies of one variable correlate perfectly. Where S
        determines x or y in rounding, the conditions that would do so are left out; where the
        older ones among them determine y, but S does not determine x, the two are independent.

        Args:
            x: First nodes.
            y: Second nodes.
            cond: Sets S, padded with -1 anywhere.
        """
        r, rest, left = self._in_blocks(x, y, cond, determine=True)
        determined = np.flatnonzero(left <= redundant_below(np.float64))
        if determined.size:
            some = x[determined], y[determined], cond[determined]
            r[determined], rest[determined] = self._of_determined(*some)
        sizes = (cond >= 0).sum(axis=1)
        n_samples = self.n_samples
        if isinstance(self.data, HoledSamples):
            n_samples = self.data.n_holding(np.column_stack([cond, x, y]).T)
        return CIResult(r, student_p_values(rest, n_samples - 2 - sizes))

    def _of_determined(
        self, x: np.ndarray, y: np.ndarray, cond: np.ndarray
    ) -> tuple[Float[np.ndarray, "rows"], Float[np.ndarray, "rows"]]:
        """R and 1 − r² where S determines x or y."""
        r, rest, _ = self._in_blocks(x, y, cond, determine=False)
        past = np.where((cond >= self.n_vars) & (self.n_vars > 0), cond, -1)
        none_left = redundant_below(np.float64)
        explained = self.residual_variance(y, past) <= none_left
        explained &= self.residual_variance(x, cond) > none_left
        return np.where(explained, 0.0, r), np.where(explained, 1.0, rest)

    def residual_variance(
        self, y: Int[np.ndarray, "rows"], cond: Int[np.ndarray, "rows k"]
    ) -> Float[np.ndarray, "rows"]:
        """Share of the variance of y that is left given S."""
        y, width = np.asarray(y, np.int32), _bucket(cond.shape[1])
        seconds = _seconds(len(y), cond.shape[1])
        corr = self._for_program("residual variance", (len(y), width), seconds)
        if corr is None:
            blocks = np.array_split(np.arange(len(y)), -(-len(y) // _lanes_of_numpy(width)) or 1)
            parts = [residual_variance(self.data, y[rows], cond[rows]) for rows in blocks]
            return np.concatenate(parts)
        with jax.enable_x64(True):
            members = _widened(cond, width)
            return np.asarray(_residual_variance(corr, y, members))

    def _for_program(
        self, name: str, about: tuple[int | bool, ...], seconds: float
    ) -> Float[np.ndarray, "more more"] | None:
        """The correlations, enlarged, if a program is worth its price; none is for holes."""
        if isinstance(self.data, HoledSamples):
            return None
        corr = _enlarged(self.data)
        return corr if pays_to_compile((name, len(corr), *about), seconds, _price()) else None

    def _in_blocks(
        self, x: np.ndarray, y: np.ndarray, cond: np.ndarray, *, determine: bool
    ) -> Float[np.ndarray, "3 rows"]:
        found = np.zeros((3, len(x)))
        sizes = (cond >= 0).sum(axis=1)
        packed = np.take_along_axis(cond, np.argsort(cond < 0, axis=1, kind="stable"), axis=1)
        widths = np.array([_bucket(size) for size in range(cond.shape[1] + 1)])[sizes]
        nodes = np.column_stack([packed, x, y])
        for width in np.unique(widths).tolist():
            rows = np.flatnonzero(widths == width)
            seconds = _seconds(len(rows), width)
            mesh = self.mesh if seconds >= WORTH_SHARING else None
            corr = self._for_program("partial correlations", (width, determine), seconds)
            if corr is not None:
                work = partial(_compiled, corr=corr, nodes=nodes, width=width, determine=determine)
                at, values = in_shares(work, [rows], mesh)
                found[:, at] = values
                continue
            for size in np.unique(sizes[rows]).tolist():
                same = rows[sizes[rows] == size]
                self._in_numpy(found, same, nodes, size, mesh, determine=determine)
        return found

    def _in_numpy(
        self,
        found: Float[np.ndarray, "3 tests"],
        rows: Int[np.ndarray, "rows"],
        nodes: Int[np.ndarray, "tests k"],
        size: int,
        mesh: Mesh | None,
        *,
        determine: bool,
    ) -> None:
        """Write what is found of some rows, whose sets have one size."""
        step = _lanes_of_numpy(size)
        chunks = [rows[first : first + step] for first in range(0, len(rows), step)]
        members, data = partial(_members, nodes, size), self.data
        if size >= LARGE_SET and not isinstance(data, HoledSamples):
            at, values = in_shares(lambda at, _: by_cholesky(data, members(at)), chunks, mesh)
            found[:, at] = values
            # One redundant set sends its whole chunk to the other method, however it was shared.
            chunks = [chunk for chunk in chunks if np.isnan(found[0, chunk]).any()]
        if chunks:
            eliminated = partial(_by_elimination, data, determine=determine)
            at, values = in_shares(lambda at, _: eliminated(members(at)), chunks, mesh)
            found[:, at] = values


def _compiled(
    rows: Int[np.ndarray, "rows"],
    device: Any,
    *,
    corr: Float[np.ndarray, "more more"],
    nodes: Int[np.ndarray, "tests k"],
    width: int,
    determine: bool,
) -> Float[np.ndarray, "3 rows"]:
    """What XLA finds of some rows, on a device; None stands for the default one."""
    parts = []
    for first in range(0, len(rows), ROWS):
        block = nodes[rows[first : first + ROWS]]
        members = np.full((ROWS, width + 2), -1, np.int32)
        members[: len(block), :-2] = _widened(block[:, :-2], width)
        members[: len(block), -2:] = block[:, -2:]
        lanes = _lanes(width)
        n_groups = np.int32(-(-len(block) // lanes))
        with jax.enable_x64(True), jax.default_device(device):
            part = _partial_correlations(corr, members, n_groups, lanes=lanes, determine=determine)
        parts.append(np.asarray(part)[:, : len(block)])
    return np.concatenate(parts, axis=1)


def _members(
    nodes: Int[np.ndarray, "tests k"], size: int, rows: Int[np.ndarray, "rows"]
) -> Int[np.ndarray, "members rows"]:
    """The members of the sets of some rows, which have one size, and their ends; in columns."""
    return np.ascontiguousarray(nodes[rows][:, [*range(size), -2, -1]].T, np.int32)


def _by_elimination(
    data: Float[np.ndarray, "nodes nodes"] | HoledSamples,
    members: Int[np.ndarray, "members rows"],
    *,
    determine: bool,
) -> Float[np.ndarray, "3 rows"]:
    """What `of_group` says, in numpy."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(of_group(data, members, determine))


def student_p_values(
    rest: Float[np.ndarray, "*tests"], degrees: Int[np.ndarray, "*#tests"]
) -> Float[np.ndarray, "*tests"]:
    """Two-sided p-values from 1 − r² and the degrees of freedom; 1 where there are none."""
    degrees = np.broadcast_to(degrees, rest.shape)
    with np.errstate(divide="ignore"):
        t = np.sqrt(np.maximum(degrees, 1) * (1 - rest) / rest)
    return np.where(degrees >= 1, student_p_value(t, np.maximum(degrees, 1)), 1.0)


@partial(jax.jit, static_argnames=("lanes", "determine"))
def _partial_correlations(
    corr: Float[Array, "nodes nodes"],
    members: Int[Array, "rows k"],
    n_groups: Int[Array, ""],
    *,
    lanes: int,
    determine: bool,
) -> Float[Array, "3 rows"]:
    """What `of_group` says of the last two members given the others, ``lanes`` rows at a time."""
    groups = members.reshape(-1, lanes, members.shape[1]).transpose(0, 2, 1)

    def one(at: Array, found: Array) -> Array:
        return found.at[:, at].set(of_group(corr, groups[at], determine))

    empty = jnp.zeros((3, len(groups), lanes), corr.dtype)
    return jax.lax.fori_loop(0, n_groups, one, empty).reshape(3, -1)


def of_group(
    data: Float[AnyArray, "nodes nodes"] | HoledSamples,
    members: Int[AnyArray, "k lanes"],
    determine: bool,
) -> Float[AnyArray, "3 lanes"]:
    """r, 1 − r², and the smaller of the variances that are left of x and y."""
    sigma = _gathered(data, members)
    xp, tolerance = namespace(sigma), redundant_below(sigma.dtype)
    left = eliminate(sigma, 2, tolerance=tolerance, determine=determine)
    (xx, xy), (_, yy) = left
    rest = (yy - xy * xy / xx) / yy
    # What is left of two copies is rounding: they correlate perfectly.
    one = xp.ones_like(xy)
    distinct = rest * yy > tolerance
    r = xp.where(distinct, xy / xp.sqrt(xx * yy), xp.sign(xy))
    rest = xp.where(distinct, rest, 0 * one)
    return xp.stack([xp.clip(r, -one, one), xp.clip(rest, 0 * one, one), xp.minimum(xx, yy)])


def by_cholesky(
    corr: Float[np.ndarray, "nodes nodes"], members: Int[np.ndarray, "k lanes"]
) -> Float[np.ndarray, "3 lanes"]:
    r"""What `of_group` says, by LAPACK; NaN if one of the sets is redundant, which it cannot tell.

    The last rows of the factor L of the correlations hold :math:`r = L_{yx} / \sqrt{L_{yx}^2 +
    L_{yy}^2}`, :math:`1 - r^2 = L_{yy}^2 / (L_{yx}^2 + L_{yy}^2)`.
    """
    rows = members.T
    try:
        factor = np.linalg.cholesky(corr[rows[:, :, None], rows[:, None, :]])
    except np.linalg.LinAlgError:
        return np.full((3, len(rows)), np.nan)
    pivots = np.einsum("rkk->rk", factor) ** 2
    xx, yx, rest = pivots[:, -2], factor[:, -1, -2], pivots[:, -1]
    yy = yx * yx + rest
    if min(pivots.min(initial=1.0), yy.min(initial=1.0)) <= 2 * redundant_below(corr.dtype):
        return np.full((3, len(rows)), np.nan)
    return np.stack([yx / np.sqrt(yy), rest / yy, np.minimum(xx, yy)])


def residual_variance(
    data: Float[AnyArray, "nodes nodes"] | HoledSamples,
    y: Int[AnyArray, "rows"],
    cond: Int[AnyArray, "rows k"],
) -> Float[AnyArray, "rows"]:
    """Share of the variance of y that is left given S."""
    xp = namespace(data, y, cond)
    sigma = _gathered(data, xp.concatenate([cond, y[:, None]], axis=1).T)
    left = eliminate(sigma, 1, tolerance=redundant_below(sigma.dtype), determine=True)
    return xp.maximum(left[0, 0], xp.zeros_like(left[0, 0]))


_residual_variance = jax.jit(residual_variance)


def _gathered(
    data: Float[AnyArray, "nodes nodes"] | HoledSamples, members: Int[AnyArray, "k lanes"]
) -> Float[AnyArray, "k k lanes"]:
    """Correlations of the members; a padded one is correlated with nothing."""
    if isinstance(data, HoledSamples):
        return data.correlations(members).corr
    real = members >= 0
    eye = np.eye(len(members), dtype=data.dtype)[:, :, None]
    both = real[:, None] & real[None]
    return namespace(data, members).where(both, data[members[:, None], members[None]], eye)


def _price() -> float:
    """Seconds of numpy that are worth a compiled program; LAPACK is the faster one on a CPU."""
    return 1e9 if jax.default_backend() == "cpu" else 0.5


def _seconds(n_rows: int, size: int) -> float:
    """Of numpy, for tests given sets of some size."""
    n_blocks = -(-n_rows // _lanes_of_numpy(size))
    return n_rows * (1e-6 + 1e-9 * (size + 2) ** 3) + n_blocks * size * 2e-5


def _lanes_of_numpy(size: int) -> int:
    """Rows that numpy takes at a time, so that they stay in the cache."""
    return max(16, (1 << 17) // (size + 2) ** 2)


def _lanes(width: int) -> int:
    if jax.default_backend() == "cpu":
        return LANES
    return min(ROWS, max(LANES, 1 << (CELLS // (width + 2) ** 2).bit_length() - 1))


def _bucket(size: int) -> int:
    last = WIDTHS[-1]
    return next((b for b in WIDTHS if b >= size), -(-size // last) * last)


def _widened(cond: Int[np.ndarray, "rows k"], width: int) -> Int[np.ndarray, "rows width"]:
    """Sets, the padding of each at its end, cut or padded to a width."""
    sets = np.full((len(cond), width), -1, np.int32)
    kept = min(width, cond.shape[1])
    sets[:, :kept] = cond[:, :kept]
    return sets


def _enlarged(corr: Float[np.ndarray, "nodes nodes"]) -> Float[np.ndarray, "more more"]:
    """Unused nodes up to a power of two: graphs of similar size share what is compiled."""
    size = max(64, 1 << (len(corr) - 1).bit_length())
    return np.pad(corr, (0, size - len(corr)))
