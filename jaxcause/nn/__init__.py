"""Layer operations with exchangeable backward rules: equal outputs, different attributions."""

from jaxcause.nn._lrp import ATTN_LRP as ATTN_LRP
from jaxcause.nn._lrp import CP_LRP as CP_LRP
from jaxcause.nn._ops import STANDARD as STANDARD
from jaxcause.nn._ops import Ops as Ops
