"""Where names enter: reading series, writing and reading graphs."""

from jaxcause.io._csv import read_csv as read_csv
from jaxcause.io._folder import check_writable as check_writable
from jaxcause.io._folder import filled_at_once as filled_at_once
from jaxcause.io._json import graph_from_json as graph_from_json
from jaxcause.io._json import graph_to_json as graph_to_json
from jaxcause.io._json import read_graph as read_graph
from jaxcause.io._json import write_graph as write_graph
from jaxcause.io._networkx import to_networkx as to_networkx
from jaxcause.io._series import SeriesTable as SeriesTable
from jaxcause.io._series import as_series_table as as_series_table
from jaxcause.io._series import table_from_columns as table_from_columns
