"""Layer operations whose backward rule can be swapped: the same forward, another explanation."""

from jaxcause.nn._lrp import ATTN_LRP as ATTN_LRP
from jaxcause.nn._lrp import CP_LRP as CP_LRP
from jaxcause.nn._ops import STANDARD as STANDARD
from jaxcause.nn._ops import Ops as Ops
