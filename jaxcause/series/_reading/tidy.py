"""Text of dates in one spelling, the clock and the time zone apart."""

import functools
import re

from jaxcause.series._reading.words import MONTHS, ZONES

_CLOCK = re.compile(r"(.+?)[ T]+(\d{1,2}[:.h]\d\d.*|\d{1,2}h|\d{1,2} [AP]M)")
_ZONE = re.compile(r"(.*\d) ?(?:([A-Z]{1,4})|(?:UTC|GMT)? ?([+-])(\d{1,2})(?::?(\d\d))?)")
_WEEKDAY = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun|montag|diens|mitt|donn|frei|sams|sonn)[a-z]*"
    r"|mo|di|mi|do|fr|sa|so)\.? +(?=.*\d)",
    re.IGNORECASE,
)
_QUARTER = re.compile(r"(\d{4})[-/ ]?Q([1-4])|Q([1-4])[-/ ]?(\d{4})", re.IGNORECASE)
_CHANGES = (
    (re.compile(r"(:\d\d),(?=\d)"), r"\1."),
    (re.compile(r"[,_\s]+"), " "),
    (re.compile(r" (?:uhr|o'clock)$", re.IGNORECASE), ""),
    (re.compile(r"(?<=\d) ?([ap])\.? ?m\.?$", re.IGNORECASE), lambda m: f" {m[1].upper()}M"),
    (re.compile(r"(\d{4}):(?=\d\d:)"), r"\1 "),
    (re.compile(r"(\d\d:\d\d:\d\d)((?: [A-Z]{3,4})?) (\d{4})$"), r"\3 \1\2"),
    (re.compile(r"(\.\d{6})\d+"), r"\1"),
    (re.compile(r"(?<=[^\W\d])\.|(?<=\d)\. |(?<=\d)(?:st|nd|rd|th)\b"), " "),
)


def tidy(text: str) -> str:
    """Text with single blanks, English names of months, and quarters as their first month.

    >>> tidy("Mo., 3. März 2020"), tidy("2020-Q3"), tidy("1/2/2020 3:00 p.m.")
    ('3 Mar 2020', '2020-07', '1/2/2020 3:00 PM')
    """
    text = text.strip()
    for pattern, change in _CHANGES:
        text = pattern.sub(change, text)
    text = _WEEKDAY.sub("", text.strip(), count=1)
    if match := _QUARTER.fullmatch(text):
        year, quarter = match[1] or match[4], int(match[2] or match[3])
        return f"{year}-{3 * quarter - 2:02d}"
    text = re.sub(r"[^\W\d]+", lambda word: MONTHS.get(word[0].lower(), word[0]), text)
    return " ".join(text.split())


_PLAIN = re.compile(r"(.+?)[ T]+(\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?(?: [AP]M)?)")


@functools.lru_cache(maxsize=2**14)
def _day(text: str) -> str:
    return tidy(text)


def split(text: str) -> tuple[str, str, int]:
    """The date and the time of day, tidy, and by how much their zone is ahead of UTC.

    >>> split("3. März 2020 10:00 CET")
    ('3 Mar 2020', '10:00', 3600000000)
    """
    match = _PLAIN.fullmatch(text)
    if match:
        # Most columns have few days and plain times of day, so little is tidied.
        return _day(match[1]), match[2], 0
    whole, zone = split_zone(tidy(text))
    return (*split_clock(whole), zone)


def split_clock(text: str) -> tuple[str, str]:
    """The date, and the time of day or nothing.

    >>> split_clock("3 Mar 2020 10:00"), split_clock("3.3.2020")
    (('3 Mar 2020', '10:00'), ('3.3.2020', ''))
    """
    match = _CLOCK.fullmatch(text)
    return (match[1], match[2]) if match else (text, "")


def split_zone(text: str) -> tuple[str, int]:
    """Text without its time zone, and how many microseconds that is ahead of UTC.

    >>> split_zone("1.1.2020 10:00 CET"), split_zone("1.1.2020 10:00+01:30")
    (('1.1.2020 10:00', 3600000000), ('1.1.2020 10:00', 5400000000))
    """
    match = _ZONE.fullmatch(text)
    if match is None or not _CLOCK.fullmatch(match[1]):
        return text, 0
    if match[2]:
        known = ZONES.get(match[2])
        return (text, 0) if known is None else (match[1], known * 3_600_000_000)
    sign = -1 if match[3] == "-" else 1
    minutes = 60 * int(match[4]) + int(match[5] or 0)
    return match[1], sign * minutes * 60_000_000
