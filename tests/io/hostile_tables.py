"""Small tables as people and programs write them, each with what must be read of it."""

import datetime
import zoneinfo
from typing import NamedTuple

import numpy as np

N = 120
NAMES = ("rain", "river", "snow")
GAP = 60
"""The row before which time has a gap."""


def system(seed=0):
    """Three series of which rain drives river, with two decimals, river above a thousand."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 3))
    for t in range(1, N):
        x[t, 1] += 0.8 * x[t - 1, 0]
        x[t, 2] += 0.6 * x[t - 1, 2]
    return np.round(x * [10, 300, 5] + [60, 2500, 40], 2)


X = system()
DAYS = [
    datetime.datetime(2020, 1, 1) + datetime.timedelta(days=k + 5 * (k >= GAP)) for k in range(N)
]
HOURS = [
    datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=7 * k + 50 * (k >= GAP))
    for k in range(N)
]


class Case(NamedTuple):
    """A table: its text, how it is read, and the times it must have, or what an error must say."""

    text: str | bytes
    options: dict = {}
    times: list | None = DAYS
    error: str = ""
    note: str = ""
    rows: slice = slice(None)
    names: tuple = NAMES
    holes: tuple = ()
    suffix: str = ".csv"


def table(times, *, head="Date", cells=None, mark=",", columns=NAMES, extra=()):
    """Text of a table; ``cells`` writes a value, ``extra`` are further lines."""
    cells = cells or (lambda value: f"{value:.2f}")
    lines = [mark.join([head, *columns])]
    rows = X[: len(times)]
    lines += [mark.join([t, *map(cells, row)]) for t, row in zip(times, rows, strict=True)]
    return "\n".join([*lines, *extra]) + "\n"


def written(form, times=DAYS):
    return [t.strftime(form) for t in times]


def daylight(zone, start, minutes=60):
    """Local times of a zone, as its clocks show them."""
    info, utc = zoneinfo.ZoneInfo(zone), datetime.UTC
    begin = datetime.datetime.fromisoformat(start).replace(tzinfo=utc)
    steps = [begin + datetime.timedelta(minutes=minutes * k) for k in range(N)]
    return [t.astimezone(info).strftime("%d.%m.%Y %H:%M") for t in steps], [
        t.replace(tzinfo=None) for t in steps
    ]


def german(value):
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def dates():
    """Every way of writing dates."""
    plain = {
        "iso": "%Y-%m-%d",
        "iso with time": "%Y-%m-%d %H:%M:%S",
        "iso with T and Z": "%Y-%m-%dT%H:%M:%SZ",
        "german": "%d.%m.%Y",
        "german, two digits": "%d.%m.%y",
        "american": "%m/%d/%Y",
        "american, two digits": "%m/%d/%y",
        "british": "%d/%m/%Y",
        "dashes": "%d-%m-%Y",
        "slashes, year first": "%Y/%m/%d",
        "month name": "%d %b %Y",
        "month name, long": "%d %B %Y",
        "month name, two digits": "%d-%b-%y",
        "oracle": "%d-%b-%Y",
        "sas": "%d%b%Y",
        "weekday": "%a %d %b %Y",
        "eight digits": "%Y%m%d",
        "day of year": "%Y-%j",
    }
    for name, form in plain.items():
        yield name, Case(table(written(form)))
    yield "comma in the date", Case(table(written('"%b %d, %Y"')))
    clocks = {
        "24 hours": "%d.%m.%Y %H:%M",
        "12 hours": "%m/%d/%Y %I:%M %p",
        "12 hours, dots": "%m/%d/%Y %I:%M:%S p.m.",
        "german clock": "%d.%m.%Y %H.%M Uhr",
        "twelve digits": "%Y%m%d%H%M",
        "ctime": "%a %b %d %H:%M:%S %Y",
        "apache": "%d/%b/%Y:%H:%M:%S +0000",
        "zone": "%d.%m.%Y %H:%M MEZ",
        "milliseconds": "%Y/%m/%d %H:%M:%S.000",
    }
    for name, form in clocks.items():
        times = written(form, HOURS)
        if "p.m." in form:
            dotted = [t.strftime("%p").lower() for t in HOURS]
            times = [
                t.strftime("%m/%d/%Y %I:%M:%S ") + f"{p[0]}.{p[1]}."
                for t, p in zip(HOURS, dotted, strict=True)
            ]
        yield name, Case(table(times), times=HOURS)
    local, utc = daylight("Europe/Berlin", "2023-10-27")
    yield "clocks go back", Case(table(local), times=utc, note="daylight-saving")
    local, utc = daylight("Europe/Berlin", "2023-03-24", 15)
    yield "clocks go forward", Case(table(local), times=utc)
    local, utc = daylight("Europe/Berlin", "2023-03-24")
    yield "clocks go forward, hourly", Case(table(local), times=utc, note="daylight-saving")
    local, utc = daylight("America/New_York", "2023-11-04", 30)
    yield "american clocks go back", Case(table(local), times=utc, note="America/New_York")


def columns_and_codes():
    """Times in several columns, in numbers, and named by options."""
    split = table(written("%Y,%m,%d"), head="year,month,day")
    yield "year, month, day", Case(split, note="'year', 'month', 'day'")
    yield "date, hour", Case(table(written("%Y-%m-%d,%H", HOURS), head="date,hour"), times=HOURS)
    yield "Date, Time", Case(table(written("%d/%m/%Y,%H:%M", HOURS), head="Date,Time"), times=HOURS)
    yield (
        "date, hour in digits",
        Case(table(written("%Y%m%d,%H%M", HOURS), head="YYYYMMDD,HH"), times=HOURS),
    )
    origin = datetime.datetime(1899, 12, 30)
    serial = [repr((t - origin) / datetime.timedelta(days=1)) for t in HOURS]
    yield "excel serials", Case(table(serial), times=HOURS, note="as spreadsheets count")
    unix = [f"{t.replace(tzinfo=datetime.UTC).timestamp():.0f}" for t in HOURS]
    yield "unix", Case(table(unix, head="timestamp"), times=HOURS, note="seconds since 1970")
    months = [f"{2000 + k // 12}-{k % 12 + 1:02d}" for k in range(N)]
    at = [datetime.datetime.fromisoformat(f"{m}-01") for m in months]
    yield "months", Case(table(months, head="month"), times=at)
    names = [t.strftime("%b %Y") for t in at]
    yield "months by name", Case(table(names, head="when"), times=at)
    quarters = [f"{1970 + k // 4}Q{k % 4 + 1}" for k in range(N)]
    at = [datetime.datetime(1970 + k // 4, 3 * (k % 4) + 1, 1) for k in range(N)]
    yield (
        "year and quarter",
        Case(
            table([q.replace("Q", ",") for q in quarters], head="year,quarter"),
            times=[datetime.datetime(1970 + k // 4, 3 * (k % 4) + 1, 1) for k in range(N)],
        ),
    )
    yield (
        "uploaded",
        Case(
            table(
                [f"2024-01-0{1 + k // 50},{t}" for k, t in enumerate(written("%d.%m.%Y"))],
                head="uploaded,day",
            ),
            note="'uploaded' holds dates .*'day' and not 'uploaded' was taken for the time",
        ),
    )
    yield "quarters", Case(table(quarters, head="when"), times=at)
    told = {"time_column": "when", "time_format": "%d%m%Y"}
    yield "a column and a format", Case(table(written("%d%m%Y"), head="when"), told)
    yield "a column alone", Case(table(written("%d.%m.%Y"), head="w"), {"time_column": "w"})
    yield "a format alone", Case(table(written("%Y%m%d"), head="when"), {"time_format": "%Y%m%d"})
    april = [f"{(t.month):02d}/{t.day:02d}/2020" for t in DAYS if t.day < 12 and t.month == 1]
    rows = slice(len(april))
    yield "ambiguous", Case(table(april), rows=rows, times=DAYS[rows], note="is ambiguous")


def cells():
    """Every way of writing numbers and holes."""
    iso = written("%Y-%m-%d")
    semicolons = {"mark": ";", "head": "Datum"}
    told = {"delimiter": ";", "decimal": ","}
    yield (
        "decimal commas",
        Case(table(iso, cells=lambda v: f"{v:.2f}".replace(".", ","), **semicolons), told),
    )
    yield "german thousands", Case(table(iso, cells=german, **semicolons), told, note="thousands")
    yield "thousands", Case(table(iso, cells=lambda v: f'"{v:,.2f}"'), note="thousands")
    yield "thin blanks", Case(table(iso, cells=lambda v: f"{v:,.2f}".replace(",", "\u202f")))
    yield "swiss", Case(table(iso, cells=lambda v: f"{v:,.2f}".replace(",", "'")))
    yield "dollars", Case(table(iso, cells=lambda v: f'"${v:,.2f}"'), note="was read as")
    yield "per cent", Case(table(iso, cells=lambda v: f"{v:.2f} %"), note="was read as")
    yield "typographic minus", Case(table(iso, cells=lambda v: f"{v:.2f}".replace("-", "−")))
    for word in ("---", "n/a", "#N/A", "NULL", "-", "#DIV/0!"):
        text = table(iso).replace(f"{X[5, 1]:.2f}", word, 1)
        yield f"hole {word}", Case(text, holes=((5, 1),))
    text = table(iso).replace(f"{X[5, 1]:.2f}", "kaputt", 1)
    yield "a word", Case(text, {"missing_value": "kaputt"}, holes=((5, 1),))
    yield "a word unsaid", Case(text, error=r"'river' holds text in row 6: 'kaputt'.*missing_value")
    text = table(iso).replace(f"{X[5, 1]:.2f}", "<5", 1)
    yield "a limit", Case(text, error=r"'river' holds text in row 6: '<5'")
    lines = table(iso).splitlines()
    for k in (9, 30, 80):
        lines[k + 1] = ",".join([iso[k], f"{X[k, 0]:.2f}", "-9999", f"{X[k, 2]:.2f}"])
    holes = tuple((k, 1) for k in (9, 30, 80))
    flagged = "\n".join(lines)
    yield "sentinels told", Case(flagged, {"missing_value": -9999}, holes=holes)
    yield "sentinels", Case(flagged, note=r"'river' holds -9999 3 times.*--missing-value -9999")
    yield (
        "constant",
        Case(
            table(iso, cells=lambda v: f"{v:.2f}")
            .replace("\n2", "\n7,,2")
            .replace("Date", "id,void,Date"),
            note="'void' has no values",
        ),
    )
    yield "mm", Case(table(iso, cells=lambda v: f"{v:.2f} mm"), error="numbers with a unit")


def lines_and_rows():
    """Lines that are no steps of time, and rows out of order."""
    iso = written("%Y-%m-%d")
    total = ",".join(["Total", *(f"{v:.2f}" for v in X.sum(axis=0))])
    yield "a total", Case(table(iso, extra=[total]), note=r"Row 121 \(Total.*sums up")
    bare = table(iso, extra=[total]).splitlines()
    bare = "\n".join(line.split(",", 1)[1] for line in bare)
    yield "a total without times", Case(bare, times=None, note="holds the sum of all rows above")
    yield "units", Case(table(iso).replace("\n", "\n[-],mm,m3/s,cm\n", 1), note="holds units")
    yield "remarks below", Case(table(iso, extra=["Source: DWD"]), note="ends the table")
    yield "remarks above", Case("Gauge 17\n\n" + table(iso), {"skip_rows": 2})
    yield "remarks unsaid", Case("Gauge 17\n\n" + table(iso), error="pass skip_rows=2")
    twice = table(iso).splitlines()
    yield (
        "header again",
        Case("\n".join([*twice[:50], twice[0], *twice[50:]]), note="header occurs"),
    )
    yield "newest first", Case("\n".join([twice[0], *twice[:0:-1]]), note="newest first.*sorted")
    swapped = [*twice[:10], twice[11], twice[10], *twice[12:]]
    yield "unsorted", Case("\n".join(swapped), note="were sorted")
    copied = [*twice[:40], twice[39], twice[39], *twice[40:]]
    yield "copies", Case("\n".join(copied), note="2 rows are copies")
    yield (
        "stacked",
        Case("\n".join([*twice, *twice[1:]]), error="runs backwards at row 121, and times repeat"),
    )
    bad = table(iso).replace(iso[56], "2020-13-45", 1)
    yield "a bad date", Case(bad, error=r"'Date': row 57 \(2020-13-45, .*'2020-13-45' as its time")
    hole = table(iso).replace(iso[56], "", 1)
    yield "no date", Case(hole, error=r"'Date': row 57 .* has no time")
    lost = "\n".join(table(written("%d.%m.%Y"), mark=";", cells=german).splitlines()[1:])
    told = {"delimiter": ";", "decimal": ","}
    yield "no header", Case(lost, told, error="starts with numbers .*first line must name")
    above = "x\n" + table(written("%d.%m.%Y"), mark=";", cells=german)
    yield "one line too many", Case(above, told | {"skip_rows": 2}, error="may be one too many")
    yield "commas at the ends", Case(table(iso).replace("\n", ",,\n"))
    yield "byte order mark", Case(b"\xef\xbb\xbf" + table(iso).encode())
    yield "utf-16", Case(table(iso).encode("utf-16"), {"encoding": "utf-16"})
    yield "windows lines", Case(table(iso).replace("\n", "\r\n"))
    yield "tabs", Case(table(iso, mark="\t"), suffix=".tsv")
    yield "semicolons unsaid", Case(table(iso, mark=";"), error="pass delimiter=';'")
    week = table([f"KW {k} x" for k in range(N)])
    yield "no dates", Case(week, error="'Date' holds times such as 'KW 0 x' in no form")
    yield "excel without an engine", Case(b"PK\x03\x04", error="openpyxl|Excel", suffix=".xlsx")
    yield "old excel", Case(b"\xd0\xcf", error="unsupported file type .xls; save it", suffix=".xls")


def cases():
    """All tables by name."""
    return dict([*dates(), *columns_and_codes(), *cells(), *lines_and_rows()])
