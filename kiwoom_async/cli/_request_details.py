"""What a request of the catalogue takes and brings, for `kiwoom-async requests`."""

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from rich.cells import cell_len

from kiwoom_async.catalog import REQUESTS

from ._fields import plain_text, type_text
from ._request_group import DEFAULT_REQUEST
from ._request_options import QueryOption, query_options


def names_of(api_id: str) -> list[str]:
    """Return the names of an api-id's requests on the command line; none for those undeclared."""
    return [name for name, query_class in REQUESTS.items() if query_class.api_id == api_id]


def details(name: str) -> str:
    """Return the options of a request and the fields of its rows, a line each."""
    query_class: Any = REQUESTS[name]
    row_fields = attrs.fields(attrs.resolve_types(query_class.row_class))
    # The options of ka90004's command are not those of its query: ranges of days, defaults.
    has_own = name == DEFAULT_REQUEST
    options = [] if has_own else query_options(query_class)
    return "".join(
        [
            f"kiwoom-async rows {name} {'--help' if has_own else '[OPTIONS]'}\n",
            *_aligned(map(_option_cells, options)),
            f"rows: {query_class.row_class.__name__}\n",
            *_aligned(map(_field_cells, row_fields)),
        ]
    )


def _option_cells(option: QueryOption) -> list[str]:
    default = plain_text(option.field.default) if option.default is not None else ""
    remarks = [
        "required" if option.required else "",
        f"default {default}" if default else "",
        "may be repeated" if option.repeatable else "",
    ]
    return [option.flag, option.expected, option.korean, ", ".join(filter(None, remarks))]


def _field_cells(field: "attrs.Attribute[Any]") -> list[str]:
    korean, unit, wire = (field.metadata.get(key, "") for key in ("korean", "unit", "wire"))
    return [field.name, type_text(field), unit, korean, wire or "of the query"]


def _aligned(lines: Iterable[Sequence[str]]) -> list[str]:
    """Return the cells of each line as one, in columns; a Korean letter takes two cells."""
    table = [*lines]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    return [
        "  "
        + "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        + "\n"
        for line in table
    ]
