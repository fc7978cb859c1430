"""What a series is: a table, its windows, transforms of its columns, and links between them."""

from jaxcause.series._bent_lines import bent_lines as bent_lines
from jaxcause.series._lagged_correlation import LaggedCorrelation as LaggedCorrelation
from jaxcause.series._lagged_correlation import lagged_correlation as lagged_correlation
from jaxcause.series._links import LinkKnowledge as LinkKnowledge
from jaxcause.series._links import Links as Links
from jaxcause.series._links import Tiers as Tiers
from jaxcause.series._links import link_knowledge as link_knowledge
from jaxcause.series._regimes import Regimes as Regimes
from jaxcause.series._regimes import find_regimes as find_regimes
from jaxcause.series._table import SeriesTable as SeriesTable
from jaxcause.series._table import as_series_table as as_series_table
from jaxcause.series._table import concatenate as concatenate
from jaxcause.series._table import table_from_columns as table_from_columns
from jaxcause.series._targets import with_missing_value as with_missing_value
from jaxcause.series._targets import with_targets as with_targets
from jaxcause.series._transforms import TRANSFORMS as TRANSFORMS
from jaxcause.series._transforms import Transform as Transform
from jaxcause.series._transforms import can_log as can_log
from jaxcause.series._transforms import fit_transform as fit_transform
from jaxcause.series._windows import Split as Split
from jaxcause.series._windows import split_by_time as split_by_time
from jaxcause.series._windows import unrolled as unrolled
from jaxcause.series._windows import usable_windows as usable_windows
from jaxcause.series._windows import used_values as used_values
from jaxcause.series._windows import window_starts as window_starts
