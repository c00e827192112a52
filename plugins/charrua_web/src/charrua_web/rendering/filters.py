"""How values are written on pages: names, dates, moments, sizes and numbers as the reader's language has them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from charrua_web.rendering.words import current

_STEPS = ("B", "KB", "MB", "GB", "TB", "PB")


def person_name(value: str) -> str:
    """Write a person name, `Yamada^Tarou=山田^太郎`, as `Yamada, Tarou (山田, 太郎)`: family, then given (PS3.5 6.2.1)."""
    groups = [_group(group) for group in value.split("=")]
    first = next((group for group in groups if group), "")
    others = ", ".join(group for group in groups[1:] if group and group != first)
    return f"{first} ({others})" if others else first


def _group(value: str) -> str:
    family, given, middle, prefix, suffix = [part.strip() for part in (value.split("^") + [""] * 5)[:5]]
    rest = " ".join(part for part in (prefix, given, middle, suffix) if part)
    return ", ".join(part for part in (family, rest) if part)


def dicom_date(value: str) -> str:
    """Write a date of DICOM, `20261123`, as ISO has it; what is no date stays as it is."""
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if len(value) == 8 and value.isdigit() else value


def dicom_time(value: str) -> str:
    """Write a time of DICOM, `104212.000`, as `10:42`."""
    return f"{value[:2]}:{value[2:4]}" if value[:4].isdigit() and len(value) >= 4 else ""


def age(birth_date: str, on: str = "") -> str:
    """Give the age in years at a date of DICOM, today without one: `54 y`; months for the very young; "" where unknown."""
    born, at = _date(birth_date), _date(on) or datetime.now(UTC).date()
    if born is None or at < born:
        return ""
    months = (at.year - born.year) * 12 + at.month - born.month - (at.day < born.day)
    return f"{months // 12} y" if months >= 24 else f"{months} m"


def _date(value: str) -> date | None:
    try:
        return datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def moment(value: datetime | None) -> str:
    """Write a moment in the language of the page, in the server's zone."""
    if value is None:
        return ""
    return str(format_datetime(value.astimezone(), "yyyy-MM-dd HH:mm", locale=_locale()))


def written(value: str) -> str:
    """Write a moment that an answer has as ISO 8601 has it."""
    return moment(datetime.fromisoformat(value)) if value else ""


def day(value: date | None) -> str:
    """Write a day in words of the page's language."""
    return str(format_date(value, "medium", locale=_locale())) if value else ""


def size(value: int) -> str:
    """Write a number of bytes with three digits at most: `4.3 GB`."""
    amount = float(value)
    for step in _STEPS:
        if amount < 1000 or step == _STEPS[-1]:
            digits = 0 if amount >= 100 or step == "B" else 1
            return f"{number(round(amount, digits))} {step}"
        amount /= 1000
    raise AssertionError


def number(value: float) -> str:
    """Write a number as the page's language groups it."""
    return str(format_decimal(value, locale=_locale()))


def _locale() -> str:
    words = current.get(None)
    return words.language if words else "en"


FILTERS = {
    "person_name": person_name,
    "dicom_date": dicom_date,
    "dicom_time": dicom_time,
    "age": age,
    "moment": moment,
    "written": written,
    "day": day,
    "size": size,
    "number": number,
}
