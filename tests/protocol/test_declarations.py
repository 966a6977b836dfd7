"""A request declared by a user: every kind of field, and errors for what cannot work."""

import datetime as dt
import types
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar

import attrs
import pytest
from attrs import field, frozen, validators

from kiwoom_async import DecodeError, KiwoomClient, Query, hundredths, magnitude, wire
from kiwoom_async._protocol.encode import request_body
from kiwoom_async._protocol.messages import Request, Response, encode_json
from kiwoom_async._protocol.pages import decode_page, first_cursor

KST = dt.timezone(dt.timedelta(hours=9))


class Side(Enum):
    """A side of the book."""

    BUY = 1
    SELL = 2


SIDES = {Side.BUY: "b", Side.SELL: "s"}


def optional(kind: Any) -> Any:
    """Return the type of a field that may be blank."""
    return kind | None


def declare(row: Any, totals: Any = None, **attributes: Any) -> Any:
    """Return the decorated class of a query; "missing" removes an attribute."""
    names = {"api_id": "ka10081", "path": "/api/dostk/chart", "rows_key": "rows"} | attributes
    body = {name: value for name, value in names.items() if value != "missing"}
    base: Any = Query[row] if totals is None else Query[row, totals]
    return frozen(types.new_class("Declared", (base,), {}, lambda space: space.update(body)))


def answer(body: dict[str, Any], query: Any) -> Any:
    headers = {"api-id": query.api_id, "cont-yn": "N"}
    raw = encode_json({"return_code": 0, **body}).encode()
    response = Response(Request(query.api_id, "/", {}, b"", ()), 200, headers, raw)
    return decode_page(response, query, first_cursor(query))


def query_of(row: type[Any], **attributes: Any) -> Any:
    """Return a query without fields for rows of a class."""
    return declare(row, **attributes)()


def value_of(kind: Any, sent: Any, **options: Any) -> Any:
    row = attrs.make_class(
        "Row", {"value": field(type=kind, metadata=wire("250hgst", **options)),
                "code": field(type=str, metadata=wire("code"))}, frozen=True,
    )  # fmt: skip
    return answer({"rows": [{"250hgst": sent, "code": "x"}]}, query_of(row)).rows[0].value


@pytest.mark.parametrize(
    ("kind", "sent", "options", "value"),
    [
        (str, " a ", {}, " a "),
        (int, "--7", {}, -7),
        (int, "-7", {"read": magnitude}, 7),
        (Decimal, "+1.50", {}, Decimal("1.50")),
        (Decimal, "-1.50", {"read": magnitude}, Decimal("1.50")),
        (Decimal, "+133885", {"read": hundredths}, Decimal("1338.85")),
        (Decimal, "--0.5", {"read": hundredths}, Decimal("-0.005")),
        (Decimal, "0.0000001", {"read": hundredths}, Decimal("0.000000001")),
        (float, "-1.50", {}, -1.5),
        (bool, "1", {}, True),
        (bool, "0", {}, False),
        (dt.date, "20261127", {}, dt.date(2026, 11, 27)),
        (dt.time, "195812", {}, dt.time(19, 58, 12)),
        (dt.datetime, "20261127195812", {}, dt.datetime(2026, 11, 27, 19, 58, 12, tzinfo=KST)),
        (Side, "s", {"codes": SIDES}, Side.SELL),
        (int, "12 won", {"read": lambda text: int(text.split()[0])}, 12),
    ],
)
@pytest.mark.parametrize("make", [lambda kind: kind, optional])
def test_a_field_is_read_by_its_type(kind, sent, options, value, make):
    read = value_of(make(kind), sent, **options)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    "kind", [str, int, Decimal, float, bool, dt.date, dt.time, dt.datetime, Side]
)
@pytest.mark.parametrize("sent", ["", "  ", None])
def test_a_blank_is_none_where_the_type_says_so_and_an_error_elsewhere(kind, sent):
    options = {"codes": SIDES} if kind is Side else {}
    assert value_of(optional(kind), sent, **options) is None
    if kind is not str or sent is None:
        with pytest.raises(DecodeError, match=r"@ rows\[0\].value \(250hgst\)"):
            value_of(kind, sent, **options)


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (dt.date, "2026-11-27"), (dt.date, "20261327"), (dt.date, "2026W485"), (dt.date, 20261127),
        (dt.date, "²0261127"), (dt.time, "19:58"), (dt.time, "1958"), (dt.time, "250000"),
        (dt.datetime, "20261127"), (bool, "Y"), (bool, True), (float, "nan"), (float, "inf"),
        (Decimal, "1e5"), (int, "1.5"),
    ],
)  # fmt: skip
def test_a_value_of_another_form_is_an_error_that_names_the_field(kind, sent):
    with pytest.raises(DecodeError, match=r"@ rows\[0\].value \(250hgst\)"):
        value_of(optional(kind), sent)


def test_a_mapping_may_read_and_what_it_lacks_is_an_error_with_the_value():
    prices = {"a": 1}.__getitem__
    assert value_of(int, "a", read=prices) == 1
    with pytest.raises(DecodeError, match=r"'b' cannot be read: KeyError\('b'\) @ rows\[0\].value"):
        value_of(int, "b", read=prices)


def too_small(_: object, __: object, value: int) -> None:
    """Refuse as validators do, without saying of which field."""
    if value < 100:
        raise ValueError("too small")


def test_a_validator_or_converter_that_refuses_is_an_error_that_names_the_field():
    @frozen
    class Row:
        code: str = field(metadata=wire("code"))
        price: int = field(metadata=wire("prc"), validator=too_small)
        half: Any = field(
            metadata=wire("half", read=int), converter=lambda value: 100 // value, default=None
        )

    def rows(**changes: str) -> Any:
        sent = {"code": "x", "prc": "100", "half": "5"}
        return answer({"rows": [sent, sent | changes]}, query_of(Row)).rows

    assert rows()[1] == Row("x", 100, 5)
    with pytest.raises(DecodeError, match=r"too small @ rows\[1\].price \(prc\)"):
        rows(prc="50")
    with pytest.raises(DecodeError, match=r"by zero @ rows\[1\].half \(half\)"):
        rows(half="0")


def test_a_validator_of_attrs_says_what_it_refuses_and_no_more():
    @frozen
    class Row:
        price: int = field(metadata=wire("prc"), validator=validators.in_([1, 2]))

    with pytest.raises(DecodeError) as caught:
        answer({"rows": [{"prc": "1"}, {"prc": "3"}]}, query_of(Row))
    assert caught.value.problems == ["'price' must be in [1, 2] (got 3) @ rows[1].price (prc)"]
    with pytest.raises(DecodeError, match=r"'ascii' codec can't decode .* @ rows\[0\].value"):
        value_of(str, "가", read=lambda text: text.encode().decode("ascii"))


def test_a_validator_that_looks_at_other_fields_is_run():
    @frozen
    class Row:
        low: int = field(metadata=wire("low"))
        high: int = field(metadata=wire("high"))

        @high.validator
        def _(self, _: object, value: int) -> None:
            if value < self.low:
                raise ValueError("high is below low")

    good = {"low": "1", "high": "2"}
    assert answer({"rows": [good]}, query_of(Row)).rows == [Row(1, 2)]
    with pytest.raises(DecodeError) as caught:
        answer({"rows": [good, {"low": "3", "high": "2"}]}, query_of(Row))
    assert caught.value.problems == ["high is below low @ rows[1]"]


def test_a_converter_that_takes_the_instance_is_run():
    @frozen
    class Row:
        low: int = field(metadata=wire("low"))
        high: int = field(
            metadata=wire("high"),
            converter=attrs.Converter(lambda value, row: value - row.low, takes_self=True),
        )

    good = {"low": "1", "high": "3"}
    assert [row.high for row in answer({"rows": [good]}, query_of(Row)).rows] == [2]
    with pytest.raises(DecodeError, match=r"'x' is not a whole number @ rows\[1\].high"):
        answer({"rows": [good, good | {"high": "x"}]}, query_of(Row))


@frozen
class Basics:
    """A flat answer."""

    stock_code: str = field(metadata=wire("stk_cd"))
    highest: int = field(metadata=wire("250hgst", read=magnitude))
    rate: Decimal | None = field(metadata=wire("for_exh_rt"))


@frozen
class BasicsQuery(Query[Basics]):
    """ka10001, whose answer is the one row."""

    api_id = "ka10001"
    path = "/api/dostk/stkinfo"
    rows_key = None

    stock_code: str = field(metadata=wire("stk_cd"))


def test_an_answer_without_a_list_is_the_one_row():
    sent = {"stk_cd": "005930", "250hgst": "+181400", "for_exh_rt": "", "more": [1]}
    page = answer(sent, BasicsQuery("005930"))
    assert page.rows == [Basics("005930", 181400, None)]
    blank = answer({"stk_cd": "", "250hgst": "", "for_exh_rt": ""}, BasicsQuery("005930"))
    assert (blank.rows, blank.blank_rows) == ([], 1)
    with pytest.raises(DecodeError, match=r"'x' is not a whole number @ rows\[0\].highest"):
        answer(sent | {"250hgst": "x"}, BasicsQuery("005930"))


def test_a_list_that_is_not_there_is_an_error_that_names_those_that_are():
    query = query_of(Basics)
    with pytest.raises(DecodeError, match="rows; the lists of the answer are: 'other'"):
        answer({"other": [], "name": "x"}, query)


@frozen
class Noted:
    """A row that takes a note from its query."""

    stock_code: str = field(metadata=wire("stk_cd"))
    note: str


@frozen
class EverythingQuery(Query[Noted]):
    """A query with a field of every kind."""

    api_id = "ka10001"
    path = "/api/dostk/stkinfo"
    rows_key = None

    text: str = field(metadata=wire("text"))
    count: int = field(metadata=wire("count"))
    adjusted: bool = field(metadata=wire("adjusted"))
    until: dt.date | None = field(metadata=wire("until"))
    time: dt.time = field(metadata=wire("time"))
    moment: dt.datetime = field(metadata=wire("moment"))
    rate: Decimal = field(metadata=wire("rate"))
    side: Side | None = field(metadata=wire("side", codes=SIDES | {None: "*"}))
    note: str = "not sent"


NOON = dt.datetime(2026, 11, 27, 12, 0, 5)  # noqa: DTZ001 - as a user would
EVERYTHING = EverythingQuery(
    "가", 7, True, NOON.date(), NOON.time(), NOON, Decimal("1.50"), Side.BUY
)  # fmt: skip


def test_the_body_is_the_fields_of_the_query_as_kiwoom_writes_them():
    assert request_body(EVERYTHING) == {
        "text": "가", "count": "7", "adjusted": "1", "until": "20261127", "time": "120005",
        "moment": "20261127120005", "rate": "1.50", "side": "b",
    }  # fmt: skip
    other = attrs.evolve(EVERYTHING, until=None, side=None, adjusted=False)
    assert request_body(other) == request_body(EVERYTHING) | {
        "until": "", "side": "*", "adjusted": "0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": 5}, "text: got 5; expected str"),
        ({"text": None}, "text: got None; expected str"),
        ({"text": "\ud800"}, r"text: got '\\ud800'"),
        ({"count": True}, "count: got True; expected int"),
        ({"count": "7"}, "count: got '7'; expected int"),
        ({"adjusted": 1}, "adjusted: got 1; expected bool"),
        ({"until": "20261127"}, "until: got '20261127'; expected date"),
        ({"until": NOON}, r"until: got datetime.*; expected date"),
        ({"side": "b"}, "side: got 'b'; expected Side.BUY, Side.SELL, None"),
        ({"side": []}, "cannot be compared with others"),
        ({"note": ["x"]}, "cannot be compared with others"),
    ],
)
def test_a_value_of_another_type_is_refused_before_anything_is_sent(changes, message):
    client = KiwoomClient("app-key-of-a-test", "secret-key-of-a-test")
    with pytest.raises(ValueError, match=message):
        client.rows(attrs.evolve(EVERYTHING, **changes))


def row_class(**fields: Any) -> Any:
    return attrs.make_class("Row", fields)


class Undecorated:
    """A row class that was not decorated."""

    code: str = "x"


CODE = field(type=str, metadata=wire("stk_cd"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "missing"}, "Declared.path: got None; expected text like '/api/dostk/chart'"),
        ({"path": "api/dostk"}, "Declared.path: got 'api/dostk'"),
        ({"api_id": ""}, "Declared.api_id: got ''; expected text like 'ka10081'"),
        ({"rows_key": "missing"}, "Declared.rows_key: got ''; expected the name of the list"),
        ({"rows_key": 5}, "Declared.rows_key: got 5"),
        ({"row": dict}, "Declared: got <class 'dict'> for its rows; expected an attrs class"),
        ({"row": row_class(code=field(type=str))}, "Row: no field has a wire name"),
        ({"row": row_class(code=CODE, other=field(type=str))},
         "Row.other: it has no wire name, and Declared has no attribute of that name; give it"),
        ({"row": row_class(code=CODE, again=CODE)}, "Row: 2 fields have the wire name 'stk_cd'"),
        ({"row": row_class(code=field(type=int | str, metadata=wire("x")))},
         r"Row.code: got type int \| str; no reader is known for it"),
        ({"row": row_class(code=field(type=Side, metadata=wire("x")))},
         r"Row.code: got type Side; no reader is known for it: .*wire\(codes"),
        ({"row": row_class(code=field(type="Nowhere", metadata=wire("x")))},
         "Row: the type of a field is unknown at run time .*Nowhere"),
        ({"totals": dict}, "Declared: got <class 'dict'> for its totals"),
        ({"totals": row_class(total=field(type=int, metadata=wire("tot")))},
         "Row.total: a total has a wire name and a default"),
        ({"totals": row_class(total=field(type=int, default=0))},
         "Row.total: a total has a wire name and a default"),
        ({"symbols": field(type=list[str], metadata=wire("stk_cd"))},
         r"Declared.symbols: got type list\[str\], which no request can send"),
        ({"a": CODE, "b": CODE}, "Declared: 2 fields have the wire name 'stk_cd'"),
        ({"market": field(type=str, default="10")},
         "Declared.market: it is not sent, as it has no wire name, and no field of Basics takes"),
        ({"market": field(type=Any, default=wire("mrkt_tp"))},
         r"Declared.market: its default is wire\(...\); write field\(metadata=wire"),
        ({"row": row_class(code=CODE, name=field(type=Any, default=wire("stk_nm")))},
         r"Row.name: its default is wire\(...\); write field\(metadata=wire"),
        ({"row": Undecorated}, "Undecorated: rows are of an attrs class; decorate it with"),
        ({"rows_key": field(type=str, default="list")},
         "Declared.rows_key: it is a field; write it without a type"),
        ({"api_id": field(type=str, default="ka10081")},
         "Declared.api_id: it is a field; write it without a type"),
        ({"row": row_class(code=field(metadata=wire("x")))}, "Row.code: it has no type; write"),
        ({"row": row_class(d=field(type=int, metadata=wire("x", read=hundredths)))},
         "Row.d: hundredths reads Decimal; the type is int"),
        ({"row": row_class(d=field(type=float, metadata=wire("x", read=magnitude)))},
         "Row.d: magnitude reads int or Decimal; the type is float"),
        ({"row": row_class(code=CODE, day=field(type=dt.date))},
         "Row.day: it has no wire name, and Declared has no attribute of that name"),
        ({"row": row_class(code=CODE, own=field(type=str, init=False, metadata=wire("x")))},
         "Row.own: it has a wire name, and init=False"),
        ({"totals": row_class(own=field(type=str, init=False, default="", metadata=wire("x")))},
         "Row.own: it has a wire name, and init=False"),
        ({"row": attrs.make_class("Row", {"code": CODE}, eq=False)},
         "Row: no two of its instances are equal"),
        ({"row": list[int]}, r"Declared: got list\[int\] for its rows; expected an attrs class"),
        *(({"row": row_class(code=field(type=str, metadata={"wire": "x"} | by_hand))}, message)
          for by_hand, message in [
              ({"wire": None}, "Row.code: wire: got None; expected the field's name on the wire"),
              ({"wire": 5}, "Row.code: wire: got 5"),
              ({"codes": ["1"]}, r"Row.code: wire\('x'\): codes: got \['1'\]"),
              ({"read": "int"}, r"Row.code: wire\('x'\): read: got 'int'"),
              ({"decimals": "2"}, r"Row.code: wire\('x'\): decimals: got '2'"),
              ({"unit": 5}, r"Row.code: wire\('x'\): unit: got 5; expected text"),
          ]),
    ],
)  # fmt: skip
def test_a_declaration_that_cannot_work_is_a_type_error(arguments, message):
    with pytest.raises(TypeError, match=message):
        declare(**{"row": Basics} | arguments)


@pytest.mark.parametrize(
    ("api_id", "path"),
    [("kt10000", "/api/dostk/ordr"), ("ka10001", "/api/dostk/crdordr"),
     ("kt10000", "/api/dostk/stkinfo"), ("au10001", "/oauth2/token")],
)  # fmt: skip
def test_a_request_that_trades_or_carries_keys_cannot_be_declared(api_id, path):
    with pytest.raises(ValueError, match=r"Declared: .*(trades, which this|of the token)"):
        declare(Basics, api_id=api_id, path=path)


def test_a_query_may_have_fields_of_the_program_s_own():
    query = declare(Basics, _label=field(type=str, default="mine"), code=CODE)("005930")
    assert request_body(query) == {"stk_cd": "005930"}


def test_the_rows_of_a_generic_class_need_a_class_of_their_own():
    T = TypeVar("T")

    @frozen
    class Row(Generic[T]):
        value: T = field(metadata=wire("x"))

    with pytest.raises(TypeError, match=r"Declared: got .*Row\[int\] for its rows"):
        declare(Row[int])


def test_a_query_without_equality_is_a_type_error():
    with pytest.raises(TypeError, match="Unequal: no two of its instances are equal"):

        @frozen(eq=False)
        class Unequal(Query[Basics]):
            api_id = "ka10001"
            path = "/api/dostk/stkinfo"
            rows_key = None


def test_a_moment_with_a_zone_is_sent_in_korean_time():
    moment = dt.datetime(2026, 11, 27, 23, 30, tzinfo=dt.UTC)
    body = request_body(attrs.evolve(EVERYTHING, moment=moment))
    assert body["moment"] == "20261128083000"


def test_a_row_class_may_have_fields_that_it_makes_itself():
    @frozen
    class Row:
        code: str = field(metadata=wire("stk_cd"))
        short: str = field(init=False)

        def __attrs_post_init__(self) -> None:
            object.__setattr__(self, "short", self.code[:3])

    assert answer({"rows": [{"stk_cd": "005930"}]}, query_of(Row)).rows[0].short == "005"


def test_a_class_that_is_not_decorated_or_not_frozen_is_a_type_error():
    class Undecorated(Query[Basics]):
        api_id = "ka10001"
        path = "/api/dostk/stkinfo"
        rows_key = None
        symbol: str = field(metadata=wire("stk_cd"))

    with pytest.raises(TypeError, match=r"Undecorated: .* decorate it with attrs.frozen"):
        Undecorated("005930")

    class WithoutParameters(Query):
        api_id = "ka10001"
        path = "/api/dostk/stkinfo"
        rows_key = None

    with pytest.raises(TypeError, match=r"WithoutParameters: got None for its rows"):
        frozen(WithoutParameters)

    class Changing(BasicsQuery):
        day: dt.date

    client = KiwoomClient("app-key-of-a-test", "secret-key-of-a-test")
    with pytest.raises(TypeError, match=r"Changing: .* decorate it with attrs.frozen"):
        client.rows(Changing("005930"))
    with pytest.raises(TypeError, match=r"Mutable: its instances can change"):

        @attrs.define
        class Mutable(Query[Basics]):
            api_id = "ka10001"
            path = "/api/dostk/stkinfo"
            rows_key = None


RowT = TypeVar("RowT")


def test_queries_may_share_a_generic_base():
    @frozen
    class StockQuery(Query[RowT], Generic[RowT]):
        symbol: str = field(metadata=wire("stk_cd"))

    @frozen
    class BasicsOfStock(StockQuery[Basics]):
        api_id = "ka10001"
        path = "/api/dostk/stkinfo"
        rows_key = None

    assert BasicsOfStock.row_class is Basics
    assert BasicsOfStock.totals_class is None
    assert request_body(BasicsOfStock("005930")) == {"stk_cd": "005930"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": ""}, "wire: got ''; expected the field's name on the wire"),
        ({"name": None}, "wire: got None"),
        ({"name": "x", "read": 5}, "read: got 5; expected a function"),
        ({"name": "x", "decimals": -1}, "decimals: got -1; expected 0 to 20"),
        ({"name": "x", "decimals": 2.5}, "decimals: got 2.5"),
        (
            {"name": "x", "codes": ["1"]},
            r"codes: got \['1'\]; expected a mapping of member to the",
        ),
        ({"name": "x", "codes": {Side.BUY: 1}}, r"codes: got .*; expected a mapping"),
    ],
)
def test_metadata_that_cannot_work_is_a_type_error(arguments, message):
    with pytest.raises(TypeError, match=message):
        wire(**arguments)
