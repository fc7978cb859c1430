"""What is known about links, as options that every method of `discover` honours."""

import dataclasses
from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar

from jaxcause.workflows._discover.methods._method import Method

if TYPE_CHECKING:
    from jaxcause.series import LinkKnowledge, Links, SeriesTable, Tiers


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkMethod(Method):
    """Base of the methods that obey prior knowledge of links, and masks of rows.

    Args:
        forbidden: Links that are never selected: ``(source, target)`` for all lags,
            ``(source, target, lag)``, or a boolean array ``[source, target, lag]``. If effects
            within a time step are looked for, lag 0 is a lag, too; forbidden in one direction, an
            edge there has the other one. Variables are given by name, or by their place from 0 on;
            a number that reads as the name of a column is that column.
        required: Links that are always selected, written likewise. The notes name those that the
            data do not support, and ``info.n_conflicts`` counts them.
        lag_limits: Longest lag of single pairs: ``{("rain", "river"): 2}``.
        tiers: A whole number for each variable, by name (a mapping, or a pandas series by its
            index) or in the order of the columns. A variable
            of a later tier never causes one of an earlier tier, at any lag.
    """

    takes_mask: ClassVar[bool] = True

    forbidden: "Links" = ()
    required: "Links" = ()
    lag_limits: Mapping[tuple[Any, Any], int] | None = None
    tiers: "Tiers | None" = None

    def __post_init__(self) -> None:
        """Check every option, and keep links that are given one by one."""
        super().__post_init__()
        for name in ("forbidden", "required"):
            links = getattr(self, name)
            if links is None:
                object.__setattr__(self, name, ())
            elif isinstance(links, Iterable) and not (
                hasattr(links, "shape") or isinstance(links, str | MutableMapping)
            ):
                object.__setattr__(self, name, tuple(links))

    @property
    def has_lag_0(self) -> bool:
        """Whether edges within a time step are looked for."""
        return bool(getattr(self, "contemporaneous", False))

    def known_links(self, table: "SeriesTable", max_lag: int) -> "LinkKnowledge":
        """The options on links as arrays.

        Raises:
            InputError: See `jaxcause.series.link_knowledge`.
        """
        from jaxcause.series import link_knowledge

        return link_knowledge(
            table.names,
            max_lag,
            forbidden=self.forbidden,
            required=self.required,
            lag_limits=self.lag_limits,
            tiers=self.tiers,
            contemporaneous=self.has_lag_0,
        )
