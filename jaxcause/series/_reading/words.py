"""Words that people and spreadsheets write into tables."""

MISSING = frozenset(
    (
        *("", "na", "n/a", "n.a.", "n.a", "nan", "null", "none", "nil", "nat", "<na>", "missing"),
        *(
            "?",
            "-",
            "--",
            "---",
            "----",
            "–",
            "—",
            ".",
            "..",
            "...",
            "*",
            "#n/a",
            "#na",
            "k.a.",
            "n.v.",
        ),
        *(
            "#div/0!",
            "#value!",
            "#num!",
            "#null!",
            "#ref!",
            "#name?",
            "#n/a n/a",
            "1.#qnan",
            "-1.#ind",
        ),
    )
)
"""Cells, in lower case, that stand for a missing value."""

TIME_NAMES = frozenset(
    (
        *("", "date", "datetime", "date_time", "date time", "date/time", "index", "t", "time"),
        *("timestamp", "unnamed: 0", "datetime_utc", "time_utc", "day", "month", "year", "epoch"),
        *("datum", "zeit", "zeitstempel", "zeitpunkt", "datum/zeit", "datum/uhrzeit", "uhrzeit"),
        *("jahr", "monat", "tag", "fecha", "heure", "horodatage", "tijd", "period"),
        *("yyyy", "yr", "année", "annee", "año", "anno", "unix", "unixtime", "__index_level_0__"),
    )
)
"""Names under which numbers in order are taken for the time."""

INDEX = "__index_level_0__"
"""The column of an index without a name, as pandas calls it in Parquet."""

INDEX_NAMES = frozenset(("", "index", "unnamed: 0", INDEX))
"""Names that programs write over the numbers of rows."""

COUNTER_NAMES = frozenset(
    (
        *("id", "row", "row_id", "rowid", "row_number", "row number", "rownum", "rownumber"),
        *("nr", "nr.", "no", "no.", "#", "n", "obs", "observation", "record", "idx", "lfd. nr."),
        *("counter", "seq", "sequence", "step", "sample"),
    )
)
"""Names that people write over the numbers of rows."""

DATE_NAMES = frozenset(
    (
        *("", "date", "datetime", "date_time", "date time", "date/time", "time", "timestamp"),
        *("datetime_utc", "time_utc", "datum", "zeit", "zeitstempel", "zeitpunkt", "datum/zeit"),
        *("datum/uhrzeit", "fecha", "horodatage", "epoch", "unix", "unixtime", "ts"),
    )
)
"""Names under which numbers may be serial numbers of Excel or seconds since 1970."""

PARTS = {
    **dict.fromkeys(("year", "yyyy", "yr", "jahr", "année", "annee", "año", "anno"), "year"),
    **dict.fromkeys(("month", "mm", "mo", "mon", "monat", "mois", "mes", "mese"), "month"),
    **dict.fromkeys(("quarter", "qtr", "q", "quartal", "trimestre", "trimester"), "quarter"),
    **dict.fromkeys(("day", "dd", "dy", "tag", "jour", "día", "dia", "giorno"), "day"),
    **dict.fromkeys(("doy", "yday", "dayofyear", "day_of_year", "julian"), "day of year"),
    **dict.fromkeys(("hour", "hh", "hr", "stunde", "std", "heure", "hora", "ora"), "hour"),
    **dict.fromkeys(("minute", "min", "mi", "minuto"), "minute"),
    **dict.fromkeys(("second", "sec", "ss", "sekunde", "seconde", "segundo"), "second"),
}
"""Names of columns that hold one part of a date each."""

CLOCK_NAMES = frozenset(
    (
        "time",
        "clock",
        "uhrzeit",
        "zeit",
        "heure",
        "hora",
        "ora",
        "hour",
        "hh",
        "hr",
        "stunde",
        "std",
    )
)
"""Names of a column that holds the time of day beside one of dates."""

TOTALS = frozenset(
    (
        *(
            "total",
            "totals",
            "sum",
            "summe",
            "gesamt",
            "mean",
            "average",
            "avg",
            "mittel",
            "median",
        ),
        *(
            "mittelwert",
            "min",
            "max",
            "count",
            "std",
            "somme",
            "moyenne",
            "media",
            "suma",
            "totale",
        ),
        *("subtotal", "grand", "minimum", "maximum", "anzahl", "durchschnitt"),
    )
)
"""First words of rows that sum a table up."""

_ENGLISH = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_FURTHER = (
    ("january", "januar", "jän", "jänner", "janv", "janvier", "ene", "enero"),
    ("february", "februar", "févr", "fév", "février", "febrero"),
    ("march", "mär", "mrz", "märz", "mars", "marzo"),
    ("april", "avr", "avril", "abr", "abril"),
    ("mai", "mayo"),
    ("june", "juni", "juin", "junio"),
    ("july", "juli", "juil", "juillet", "julio"),
    ("august", "août", "aout", "ago", "agosto"),
    ("september", "sept", "septembre", "septiembre"),
    ("october", "okt", "oktober", "octobre", "octubre"),
    ("november", "novembre", "noviembre"),
    ("december", "dez", "dezember", "déc", "décembre", "dic", "diciembre"),
)
MONTHS = {
    word: english.title()
    for english, words in zip(_ENGLISH, _FURTHER, strict=True)
    for word in (english, *words)
}
"""English abbreviations, as ``strptime`` reads them, of the names of months."""

ZONES = {
    **dict.fromkeys(("Z", "UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("CET", "MEZ", "BST", "WEST"), 1),
    **dict.fromkeys(("CEST", "MESZ", "EET"), 2),
    **dict.fromkeys(("EEST", "MSK"), 3),
    **{"JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13},
    **{"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8},
}
"""Hours ahead of UTC of the abbreviations of time zones."""
