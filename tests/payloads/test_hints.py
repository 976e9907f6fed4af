"""Rich values to JSON and back by their type hints; what does not fit, and what costs nothing."""

import enum
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyflow
from pyflow import SerializationException
from pyflow.converter import JSON
from pyflow.payloads.hints import hints_of, is_rich

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1


class Point(NamedTuple):
    x: int
    when: date


class Window(TypedDict, total=False):
    opens: time
    colour: Colour


class Plain(TypedDict):
    name: str
    inner: "Plain | None"


@dataclass
class Line:
    what: str
    price: Decimal
    quantity: int = 1


@dataclass
class Order:
    id: UUID
    lines: list[Line] = field(default_factory=list)
    parent: "Order | None" = None


@dataclass
class Box(Generic[T]):
    content: T


class Address(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    street: str = pydantic.Field(alias="streetName")
    since: datetime
    price: Decimal


class Money:
    def __init__(self, text):
        self.text = text


Euros = NewType("Euros", Decimal)
ADDRESS = Address(streetName="High St", since=datetime(2026, 1, 1, tzinfo=UTC), price=Decimal("1.10"))
OFFSETS = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-14 * 60, 14 * 60))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
LINES = st.builds(Line, st.text(), DECIMALS, st.integers(-(2**63), 2**63 - 1))
RICH = [
    (datetime, st.datetimes(timezones=st.none() | OFFSETS)),
    (date, st.dates()),
    (time, st.times(timezones=st.none() | OFFSETS)),
    (timedelta, st.timedeltas(timedelta(days=-99_999), timedelta(days=99_999))),
    (Decimal, DECIMALS),
    (UUID, st.uuids()),
    (Colour, st.sampled_from(Colour)),
    (Size, st.sampled_from(Size)),
    (bytes, st.binary()),
    (set[int], st.sets(st.integers(-1000, 1000))),
    (frozenset[str], st.frozensets(st.text())),
    (tuple[int, str], st.tuples(st.integers(-1000, 1000), st.text())),
    (tuple[Decimal, ...], st.lists(DECIMALS).map(tuple)),
    (Point, st.builds(Point, st.integers(-1000, 1000), st.dates())),
    (Window, st.fixed_dictionaries({}, optional={"opens": st.times(), "colour": st.sampled_from(Colour)})),
    (Order, st.recursive(st.builds(Order, st.uuids(), st.lists(LINES, max_size=3)), lambda inner: st.builds(Order, st.uuids(), st.just([]), inner), max_leaves=4)),
    (Box[Decimal], st.builds(Box, DECIMALS)),
    (dict[int, Decimal], st.dictionaries(st.integers(-1000, 1000), DECIMALS)),
    (dict[Colour, date], st.dictionaries(st.sampled_from(Colour), st.dates())),
    (dict[UUID, list[Line]], st.dictionaries(st.uuids(), st.lists(LINES, max_size=2), max_size=2)),
    (Decimal | None, st.none() | DECIMALS),
    (Euros, DECIMALS),
    (Annotated[Decimal, "euros"], DECIMALS),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "values"), RICH, ids=[str(hint) for hint, _ in RICH])
def test_rich_value_comes_back_by_its_hint(hint, values):
    assert is_rich(hint)

    @given(values)
    def holds(value):
        text = JSON.encode(value, "it")
        assert json.loads(text) == JSON.decode(text)  # plain JSON, for whoever has no hints
        again = JSON.decode(text, hint)
        assert again == value
        assert type(again) is type(value)

    holds()


def test_pydantic_model_writes_and_reads_itself():
    text = JSON.encode([ADDRESS], "it")

    assert json.loads(text)[0]["streetName"] == "High St"
    assert JSON.decode(text, list[Address]) == [ADDRESS]
    assert JSON.decode(JSON.encode(Box(ADDRESS), "it"), Box[Address]) == Box(ADDRESS)


def test_set_is_the_same_text_in_every_process():
    assert JSON.encode({"b", "a"}, "it") == '["a", "b"]'
    assert JSON.encode({1, "a", None}, "it") == '[null, 1, "a"]'


def test_odd_offset_becomes_utc():
    odd = datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=19, seconds=32)))
    assert JSON.decode(JSON.encode(odd, "it"), datetime) == odd


@pytest.mark.parametrize(
    ("value", "hint", "said"),
    [
        ({"id": 3}, Order, ["Order", "Expected `uuid`, got `int`", "`$.id`"]),
        ({"id": str(UUID(int=1)), "lines": [{"what": "x", "price": "1"}, {"what": 2, "price": "1"}]}, Order, ["Expected `str`, got `int`", "`$.lines[1].what`"]),
        ({"lines": []}, Order, ["missing required field `id`"]),
        ("green", Colour, ["Colour", "'green'"]),
        ("x", Decimal, ["Decimal", "decimal"]),
        ([1], tuple[int, str], ["length 2, got 1"]),
        ([{"streetName": 3, "since": "2026-01-01", "price": "1"}], list[Address], ["valid string, got `int`", "$.streetName", "$[0]"]),
        ({"a": 1}, Address, ["Field required", "and 2 more"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_says_where_and_why(value, hint, said):
    with pytest.raises(SerializationException) as caught:
        JSON.decode(json.dumps(value), hint, "argument 'order' of activity 'charge'")

    for words in ["argument 'order' of activity 'charge'", *said]:
        assert words in str(caught.value)


def test_what_json_cannot_tell_apart_is_refused_by_name():
    with pytest.raises(
        SerializationException, match=r"it: .*Line \| .*Order cannot be told from JSON: Type unions may not"
    ):
        JSON.decode("{}", Line | Order, "it")


def test_unknown_field_is_ignored_and_default_may_be_missing():
    assert JSON.decode('{"what": "x", "price": "1", "colour": "red"}', Line) == Line("x", Decimal(1), 1)


@pytest.mark.parametrize(
    "hint",
    [None, Any, str, int, float, bool, list, dict, object, T, list[int], dict[str, Any], dict[str, list[str | None]], str | None, Literal["a", 1], Plain, list[Plain], Sequence[str], Mapping[str, int], Annotated[str, "x"], NewType("Name", str)],
    ids=str,
)  # fmt: skip
def test_hint_of_jsons_own_types_says_nothing(hint):
    assert not is_rich(hint)


def test_hints_of_a_function_are_those_that_are_rich():
    def function(order: Order, count: int, other=None, *, at: "datetime | None" = None) -> list[Line]: ...

    assert hints_of(function).parameters == {"order": Order, "at": datetime | None}
    assert hints_of(function).result == list[Line]
    assert hints_of(function) is hints_of(function)
    assert hints_of(lambda x: x) == hints_of(len) == ({}, None)


def test_hint_that_cannot_be_looked_up_is_told_and_left_out(caplog):
    def function(order: "Nowhere", at: datetime): ...  # noqa: F821

    assert hints_of(function).parameters == {}
    assert "'Nowhere' is not defined" in caplog.text
    assert "function" in caplog.text


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a statement of 3.12")
def test_type_statement_is_what_it_stands_for():
    names: dict[str, Any] = {"Decimal": Decimal}
    exec("type Price = Decimal\ntype Tree = list[Tree] | str", names)
    assert is_rich(names["Price"])
    assert not is_rich(names["Tree"])


def test_converter_of_ones_own_knows_more_types():
    class Own(pyflow.DataConverter):
        def to_plain(self, value):
            return value.text if isinstance(value, Money) else super().to_plain(value)

        def from_plain(self, type, value):
            return Money(value) if type is Money else super().from_plain(type, value)

    own = Own()
    assert own.encode([Money("1 EUR")], "it") == '["1 EUR"]'
    assert own.decode('"1 EUR"', Money).text == "1 EUR"
    assert own.decode('["1 EUR"]', list[Money])[0].text == "1 EUR"
    assert own.encode(date(2026, 1, 1), "it") == '"2026-01-01"'


def test_class_that_nobody_knows_leaves_the_value_as_it_is():
    assert JSON.decode('{"a": 1}', Money) == {"a": 1}


@pytest.mark.parametrize("value", ["\ud800", ["x", {"\udfff": 1}], "\udc00\ud800"])
def test_half_of_a_surrogate_pair_is_refused(value):
    with pytest.raises(SerializationException, match="surrogate"):
        JSON.encode(value, "it")


@pytest.mark.parametrize("value", ["\U0001f600", "\\ud800", "\\\\ud800 \U0001f600"])
def test_whole_pairs_and_texts_that_look_like_halves_are_sent(value):
    assert JSON.decode(JSON.encode(value, "it")) == value


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}, lambda inner: (1, inner), Box])
def test_nesting_is_sent_up_to_200_and_no_deeper(make):
    value: Any = make(1)
    for _ in range(199):
        value = make(value)

    JSON.encode(value, "it")
    with pytest.raises(SerializationException, match="200 deep"):
        JSON.encode(make(value), "it")


def test_many_lists_side_by_side_are_not_deep():
    assert JSON.decode(JSON.encode([[n] for n in range(1000)], "it")) == [[n] for n in range(1000)]


def test_text_that_is_nested_beyond_all_reason_is_no_crash():
    with pytest.raises(ValueError, match=r"deep|recursion"):
        JSON.decode("[" * 1_000_000 + "]" * 1_000_000)


def test_number_of_too_many_digits_is_refused():
    with pytest.raises(SerializationException):
        JSON.encode(10**5000, "it")


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), Decimal("Infinity"), Box(float("nan")), {1j}, make_dataclass("D", ["x"])]
)
def test_rich_value_without_a_form_is_refused(value):
    with pytest.raises(SerializationException, match="cannot be sent as JSON"):
        JSON.encode(value, "it")
