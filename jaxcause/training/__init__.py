"""Training a forecaster on the windows of a series."""

from jaxcause.training._loop import TrainingInterrupted as TrainingInterrupted
from jaxcause.training._loop import fit as fit
from jaxcause.training._loop import fit_members as fit_members
from jaxcause.training._program import Program as Program
from jaxcause.training._rows import SeriesRows as SeriesRows
from jaxcause.training._rows import gather as gather
from jaxcause.training._rows import rows_of as rows_of
from jaxcause.training._run import Progress as Progress
from jaxcause.training._run import TrainingResult as TrainingResult
from jaxcause.training._step import LossFn as LossFn
from jaxcause.training._step import LossParts as LossParts
from jaxcause.training._step import TrainingConfig as TrainingConfig
from jaxcause.training._step import VectorLayout as VectorLayout
