"""How rows look in a notebook: the first of them, with units, as HTML.

Pure. Text in, HTML out; knows no particular TR.
"""

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from typing import Any, Final

import attrs

_SHOWN_ROWS: Final = 10


def html_of(title: str, rows: Sequence[Any], row: type[Any], remarks: Sequence[str]) -> str:
    """A title, the first rows under attribute names and units, and a line for each remark."""
    # What comes from the query is the same in every row, and stands in the title.
    fields = [field for field in attrs.fields(row) if "wire" in field.metadata]
    head = "".join(_head(field) for field in fields)
    body = "".join(_line(each, fields) for each in rows[:_SHOWN_ROWS])
    more = len(rows) - _SHOWN_ROWS
    after = f"<p>... and {more:,} more rows</p>" if more > 0 else ""
    said = "".join(f"<p>{escape(remark)}</p>" for remark in remarks)
    return (
        f"<div><p><b>{escape(title)}</b>: {len(rows):,} rows</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{after}{said}</div>"
    )


def _head(field: "attrs.Attribute[Any]") -> str:
    unit, korean = field.metadata.get("unit", ""), field.metadata.get("korean", "")
    below = f"<br><small>{escape(unit)}</small>" if unit else ""
    return f'<th title="{escape(korean)}">{escape(field.name)}{below}</th>'


def _line(row: Any, fields: Sequence["attrs.Attribute[Any]"]) -> str:
    return f"<tr>{''.join(_cell(getattr(row, field.name)) for field in fields)}</tr>"


def _cell(value: object) -> str:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return f'<td style="text-align:right">{value:,}</td>'
    return f'<td style="text-align:left">{"" if value is None else escape(str(value))}</td>'
