"""The methods of `discover`: one frozen dataclass each, whose fields are exactly its options.

``discover(x, 5, method="pcmci", alpha=0.1)`` builds ``PCMCI(alpha=0.1)``. To add a method, copy
``jaxcause/workflows/_discover/methods/var.py`` and `register` the class.
What all methods know of links (``forbidden``, ``required``, ``lag_limits``, ``tiers``) stands with
`LinkMethod`, devices that share the work (``mesh``) with `SharedMethod`, and what those that test
pairs do about missing values with `HoledMethod`.
"""

from jaxcause.workflows._discover.methods import PC as PC
from jaxcause.workflows._discover.methods import PCMCI as PCMCI
from jaxcause.workflows._discover.methods import VAR as VAR
from jaxcause.workflows._discover.methods import ConditioningSize as ConditioningSize
from jaxcause.workflows._discover.methods import Count as Count
from jaxcause.workflows._discover.methods import Gradient as Gradient
from jaxcause.workflows._discover.methods import HoledMethod as HoledMethod
from jaxcause.workflows._discover.methods import Lasso as Lasso
from jaxcause.workflows._discover.methods import LinkMethod as LinkMethod
from jaxcause.workflows._discover.methods import Method as Method
from jaxcause.workflows._discover.methods import Option as Option
from jaxcause.workflows._discover.methods import PCMCIPlus as PCMCIPlus
from jaxcause.workflows._discover.methods import Probability as Probability
from jaxcause.workflows._discover.methods import SharedMethod as SharedMethod
from jaxcause.workflows._discover.methods import TransformName as TransformName
from jaxcause.workflows._discover.methods import register as register
from jaxcause.workflows._discover.methods import registered as registered
