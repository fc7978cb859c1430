"""Pages to read in a browser: one file each, which asks for nothing outside itself."""

from jaxcause.report._index import index_page as index_page
from jaxcause.report._page import explanation_page as explanation_page
