"""The options of a request, made from the fields of its query."""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from inspect import Parameter, Signature, signature
from itertools import product
from typing import Annotated, Any, Final

import attrs
import typer

from kiwoom_async import Query

from ._fields import field_kind, plain_text
from ._text import excerpt

_KST: Final = dt.timezone(dt.timedelta(hours=9))
_DATE: Final = re.compile(r"[0-9]{4}(-?)[0-9]{2}\1[0-9]{2}")


def _parse_date(text: str) -> dt.date:
    # fromisoformat alone would also read weeks.
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return dt.date.fromisoformat(text)


def _parse_datetime(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=_KST) if moment.tzinfo is None else moment.astimezone(_KST)


# What is expected, as help and errors say it, and the function that reads it.
_KINDS: Final[dict[Any, tuple[str, Callable[[str], Any]]]] = {
    str: ("TEXT", str),
    int: ("NUMBER", int),
    float: ("NUMBER", float),
    Decimal: ("NUMBER", Decimal),
    dt.date: ("YYYY-MM-DD", _parse_date),
    dt.time: ("HH:MM:SS", dt.time.fromisoformat),
    dt.datetime: ("YYYY-MM-DDTHH:MM:SS", _parse_datetime),
}


@attrs.frozen
class QueryOption:
    """The option for one field of a query; text and enum members may be given several times."""

    field: "attrs.Attribute[Any]"

    @property
    def name(self) -> str:
        """The name of the argument of the query's class."""
        return str(self.field.alias)

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def repeatable(self) -> bool:
        """True for text and enum members: each value makes a walk of its own."""
        return issubclass(self._kind, str | Enum)

    @property
    def required(self) -> bool:
        """True if the query has no value without the option."""
        return self.field.default is attrs.NOTHING

    @property
    def expected(self) -> str:
        """The form of a value, as help and errors say it; "" for a flag."""
        if issubclass(self._kind, Enum):
            return "|".join(self._kind.__members__)
        return "" if self._is_flag else _KINDS[self._kind][0]

    @property
    def korean(self) -> str:
        """The specification's name of the field, or what an enum's docstring says of it."""
        korean: str = self.field.metadata.get("korean", "")
        if not korean and issubclass(self._kind, Enum):
            return (self._kind.__doc__ or "").partition("\n")[0].rstrip(".")
        return korean

    @property
    def default(self) -> Any:
        """The field's default as it would be typed, for help to show; None without any."""
        default: Any = self.field.default
        # An attrs.Factory makes the value for each query.
        if default in (None, attrs.NOTHING) or hasattr(default, "factory"):
            return None
        if self._is_flag:
            return default
        return [plain_text(default)]

    @property
    def _kind(self) -> type[Any]:
        return field_kind(self.field)

    @property
    def _is_flag(self) -> bool:
        return self._kind is bool

    @property
    def _no_flag(self) -> str:
        return f"--no-{self.flag[2:]}"

    def parameter(self) -> Parameter:
        """Return the parameter of a command, for typer; None stands for an option not given."""
        annotation: Any = bool if self._is_flag else list[str]
        option = typer.Option(
            f"{self.flag}/{self._no_flag}" if self._is_flag else self.flag,
            metavar=self.expected or None,
            help=self._help(),
        )
        return Parameter(
            self.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if self.required else self.default,
            annotation=Annotated[annotation if self.required else annotation | None, option],
        )

    def _help(self) -> str:
        unit = self.field.metadata.get("unit")
        named = f"{self.korean} ({unit})" if unit else self.korean
        return ". ".join(filter(None, (named, "May be repeated." if self.repeatable else "")))

    def values(self, given: Any) -> list[Any]:
        """Return the values of an option that was given; ValueError names the option."""
        if self._is_flag:
            return [given]
        if not self.repeatable and len(given) > 1:
            raise ValueError(f"{self.flag}: got {', '.join(given)}; expected one value")
        return [*map(self._parse, given)]

    def _parse(self, text: str) -> Any:
        try:
            if issubclass(self._kind, Enum):
                members = self._kind.__members__.items()
                return {name.lower(): member for name, member in members}[text.lower()]
            return _KINDS[self._kind][1](text)
        except (ArithmeticError, LookupError, ValueError):
            raise ValueError(
                f"{self.flag}: got {excerpt(text)}; expected {self.expected.replace('|', ', ')}"
            ) from None

    def words(self, given: Any) -> list[str]:
        """Return the words of a command line that give the option again."""
        if self._is_flag:
            return [self.flag if given else self._no_flag]
        return [word for text in given for word in (self.flag, text)]


def query_options(query_class: Any) -> list[QueryOption]:
    """Return an option for each field that the constructor of a query takes."""
    fields = attrs.fields(attrs.resolve_types(query_class))
    return [QueryOption(field) for field in fields if field.init]


@attrs.frozen
class RequestArguments:
    """What a command line says of the queries of one request.

    given: what was typed for each option: its texts, or True or False.
    """

    request: str
    query_class: type[Query[Any, Any]]
    given: Sequence[tuple[QueryOption, Any]]

    def queries(self) -> list[Query[Any, Any]]:
        """Return a query for every combination of the values; ValueError names the option."""
        names = [option.name for option, _ in self.given]
        values = [option.values(given) for option, given in self.given]
        with naming_options(self.query_class):
            return [
                self.query_class(**dict(zip(names, each, strict=True))) for each in product(*values)
            ]

    @property
    def words(self) -> list[str]:
        """The request's name and its options, as words of a command line."""
        options = (word for option, given in self.given for word in option.words(given))
        return [self.request, *options]


@contextmanager
def naming_options(query_class: Any) -> Iterator[None]:
    """Name the option, not the field, in the ValueError of a query."""
    try:
        yield
    except ValueError as error:
        # attrs validators write the field's name in quotation marks.
        match = re.match(r"'?(\w+)'?", str(error))
        for option in query_options(query_class):
            if match and match[1] == option.field.name:
                raise ValueError(f"{option.flag}{str(error)[match.end() :]}") from error
        raise


def request_command(
    request: str,
    query_class: type[Query[Any, Any]],
    work: Callable[..., None],
) -> Callable[..., None]:
    """Return `work` as a command with options for the query's fields.

    work: takes RequestArguments, then options of its own as keywords.
    """
    options = query_options(query_class)
    _, *own = signature(work, eval_str=True).parameters.values()

    def command(**arguments: Any) -> None:
        typed = [(option, arguments.pop(option.name)) for option in options]
        given = [(option, value) for option, value in typed if value not in (None, [])]
        work(RequestArguments(request, query_class, given), **arguments)

    parameters = [*(option.parameter() for option in options), *own]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return command
