"""Whether an attribute of a stored entity matches a key, told in memory: the one meaning of all matching.

What the database selects by its columns is at least what matches here (`conditions`); the rest is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from charrua_core.archive.index.names import name_key, text_key
from charrua_core.archive.search import dates, patterns
from charrua_core.archive.search.model import AnyItem, Between, Match, NoValue, OneOf, Words

Element = Mapping[str, Any]
Test = Callable[[Element | None], bool]

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
TEXT_VRS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
NUMBER_VRS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
MOMENT_VRS = frozenset({"DA", "DT", "TM"})

IDENTIFIERS = frozenset({"00100020", "00100021", "00080050", "00200010"})
"""Texts that are compared by letter case: Patient ID and its issuer, Accession Number, Study ID."""

GROUP = "="
"""Parts the component groups of a person's name: alphabetic, ideographic, phonetic (PS3.5 6.2.1)."""


def test_of(tag: str, match: Match, ignore_case: bool = True, fuzzy: bool = False) -> Test:
    """Give a function that says whether an element (None: absent) matches. Raises QueryInvalid for a bad date or time."""
    if isinstance(match, AnyItem):
        return _any_item(match, ignore_case, fuzzy)
    if isinstance(match, NoValue):
        return lambda element: not _values(element)
    if isinstance(match, Between):
        return _any_value(_within(match.vr, *dates.between(match.vr, match.low, match.high)))
    if isinstance(match, Words):
        return _any_value(_words(match))
    return _any_value(_one_of(tag, match, ignore_case, fuzzy))


def tests_of(keys: Mapping[str, Match], ignore_case: bool = True, fuzzy: bool = False) -> dict[str, Test]:
    """Give the functions of several keys."""
    return {tag: test_of(tag, match, ignore_case, fuzzy) for tag, match in keys.items()}


def has_all(attributes: Mapping[str, Element], tests: Mapping[str, Test]) -> bool:
    """Whether a data set passes all tests."""
    return all(test(attributes.get(tag)) for tag, test in tests.items())


def _values(element: Element | None) -> Sequence[Any]:
    """Give the values that are not empty."""
    values = element.get("Value", ()) if element else ()
    return [value for value in values if value is not None and value != "" and value != {}]


def _any_value(test: Callable[[Any], bool]) -> Test:
    return lambda element: any(map(test, _values(element)))


def _any_item(match: AnyItem, ignore_case: bool, fuzzy: bool) -> Test:
    tests = tests_of(match.keys, ignore_case, fuzzy)
    return lambda element: any(has_all(item, tests) for item in (element or {}).get("Value", ()))


def _one_of(tag: str, match: OneOf, ignore_case: bool, fuzzy: bool) -> Callable[[Any], bool]:
    vr, values = match.vr, match.values
    if vr == "PN":
        return _any(_name(value, fuzzy) for value in values)
    if vr in MOMENT_VRS:
        return _any(_within(vr, *dates.interval(vr, value)) for value in values)
    if vr in NUMBER_VRS:
        return _any(_number(value) for value in values)
    if vr in TEXT_VRS and ignore_case and tag not in IDENTIFIERS:
        tests = [patterns.matcher(text_key(value)) for value in values]
        return lambda value: any(test(text_key(str(value))) for test in tests)
    if vr in WILDCARD_VRS:
        tests = [patterns.matcher(value.strip()) for value in values]
        return lambda value: any(test(str(value).strip()) for test in tests)
    wanted = frozenset(value.strip() for value in values)
    return lambda value: str(value).strip() in wanted


def _words(match: Words) -> Callable[[Any], bool]:
    words = [text_key(word) for word in match.words]
    alone = len(words) == 1 and not patterns.grams(words[0])
    tests = [patterns.matcher(f"{word}*" if alone else f"*{word}*") for word in words]
    return lambda value: all(test(text_key(written_name(value))) for test in tests)


def _any(tests: Any) -> Callable[[Any], bool]:
    listed = tuple(tests)
    return listed[0] if len(listed) == 1 else lambda value: any(test(value) for test in listed)


def _within(vr: str, first: str, last: str) -> Callable[[Any], bool]:
    """Whether the beginning of what a value stands for lies between two moments; one that is no date lies nowhere."""

    def test(value: Any) -> bool:
        moment = dates.begin(vr, str(value))
        return moment is not None and first <= moment <= last

    return test


def _number(wanted: str) -> Callable[[Any], bool]:
    number = decimal(wanted)
    if number is None:
        return lambda value: str(value).strip() == wanted.strip()
    return lambda value: decimal(str(value)) == number


def decimal(text: str) -> Decimal | None:
    """Give the finite number that a text writes, None where it writes none."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def written_name(value: Any) -> str:
    """Give a person's name of the DICOM JSON Model as DICOM writes it: component groups parted by `=`."""
    if not isinstance(value, Mapping):
        return str(value)
    groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
    return GROUP.join(groups).rstrip(GROUP)


def _name(wanted: str, fuzzy: bool) -> Callable[[Any], bool]:
    """Match a name: without case and accents, group by group.

    A key of one group is compared with the alphabetic group, and with the others too if it is not all ASCII.
    """
    key = name_key(wanted)
    if fuzzy:
        return _fuzzy_name(key)
    tests = [patterns.matcher(group) if group else None for group in key.split(GROUP)]
    if len(tests) == 1:
        return _one_group(patterns.matcher(key), all_groups=not key.isascii())
    return lambda value: _every_group(tests, name_key(written_name(value)).split(GROUP))


def _one_group(test: Callable[[str], bool], all_groups: bool) -> Callable[[Any], bool]:
    def matches(value: Any) -> bool:
        groups = name_key(written_name(value)).split(GROUP)
        return any(map(test, groups if all_groups else groups[:1]))

    return matches


def _every_group(tests: Sequence[Callable[[str], bool] | None], groups: Sequence[str]) -> bool:
    padded = [*groups, *[""] * len(tests)]
    return all(test is None or test(group) for test, group in zip(tests, padded, strict=False))


def fuzzy_words(key: str) -> list[str]:
    """Give the words of a folded name, as fuzzy matching sees them."""
    return key.translate(_WORD_BREAKS).split()


_WORD_BREAKS = str.maketrans(dict.fromkeys("^=,.-'*?", " "))


def _fuzzy_name(key: str) -> Callable[[Any], bool]:
    """Every word of the key begins a word of the name."""
    wanted = fuzzy_words(key)

    def matches(value: Any) -> bool:
        words = fuzzy_words(name_key(written_name(value)))
        return all(any(word.startswith(begin) for word in words) for begin in wanted)

    return matches
