"""HTML of the report: the document, text, tables of stocks, and figures for two widths."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from kiwoom_async import ProgramTrade

from ._style import format_signed

# Wider than any phone held upright, and wide enough to read the figure for screens.
_PHONE_PIXELS: Final = 720
_CSS: Final = f"""
body {{ margin: 0 auto; max-width: 1080px; padding: 12px; color: #1a1a1a; background: #fff;
  font: 16px/1.5 "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", NanumGothic, sans-serif; }}
h1 {{ font-size: 1.6em; line-height: 1.25; margin: 0.4em 0; }}
h1 span {{ white-space: nowrap; }}
h2 {{ font-size: 1.15em; margin: 0 0 0.3em; }}
.simulated {{ border: 2px solid #8a5a00; background: #fff6df; padding: 6px 12px;
  font-weight: bold; }}
.tables {{ display: flex; flex-wrap: wrap; gap: 8px 40px; }}
.tables section {{ flex: 1 1 400px; min-width: 0; }}
figure {{ margin: 28px 0; break-inside: avoid; }}
img {{ display: block; width: 100%; height: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: 0.875em; }}
caption {{ text-align: left; font-weight: bold; padding: 4px 0; }}
th, td {{ padding: 3px 5px; border-bottom: 1px solid #ddd; text-align: right; }}
th {{ vertical-align: bottom; font-weight: normal; color: #555; }}
th[scope=row] {{ color: inherit; overflow-wrap: anywhere; }}
th:first-child {{ text-align: left; width: 38%; }}
small, footer {{ color: #555; font-size: 0.875em; font-weight: normal; }}
@media (max-width: {_PHONE_PIXELS}px) {{ h1 {{ font-size: 1.3em; }} }}
@media print {{ body {{ max-width: none; }} section {{ break-inside: avoid; }} }}
""".strip()
_COLUMN_HEADERS: Final = (
    ("name", "종목명"),
    ("code", "코드"),
    ("price", "현재가"),
    ("net", "순매수"),
    ("share", "비율"),
)
# Regular expressions and replacements that leave the drawing as it is.
_SVG_REDUCTIONS: Final = (
    (rb"<!--.*?-->|<!DOCTYPE.*?>|<\?xml.*?\?>|<metadata>.*?</metadata>", b""),
    (rb"\s*\n\s*", b"\n"),
    (rb">\n<", b"><"),
    (rb"\n?\b([MLQCz]) ?", rb"\1"),
    (rb"\n(?=[MLQCz])", b""),
    (rb"((?: [xy]=\"|[MLQC ])-?\d+\.\d\d)\d+(?=[\" MLQCz\n])", rb"\1"),
)
_UNITS: Final = "price in won (원), net in 100 million won (억원), share of turnover in %"


def html_document(title: str, body: Iterable[str]) -> str:
    """Return a document with this title and these elements."""
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            f"<title>{escape(title)}</title>\n<style>\n{_CSS}\n</style>\n</head>\n<body>",
            *body,
            "</body>\n</html>\n",
        )
    )


def responsive_figure(wide_svg: bytes, narrow_svg: bytes, alt: str) -> str:
    """Return a figure of which a browser shows the SVG for its width."""
    wide, narrow = _data_uri(wide_svg), _data_uri(narrow_svg)
    return (
        f'<figure><picture><source media="(max-width: {_PHONE_PIXELS}px)" srcset="{narrow}"/>'
        f'<img src="{wide}" alt="{escape(alt)}"/></picture></figure>'
    )


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(compact_svg(svg)).decode('ascii')}"


def compact_svg(svg: bytes) -> bytes:
    """Return the drawing, a sixth smaller: without comments, metadata and invisible digits."""
    for pattern, replacement in _SVG_REDUCTIONS:
        svg = re.sub(pattern, replacement, svg, flags=re.DOTALL)
    return svg


def paragraph(text: str, css_class: str) -> str:
    """Return a paragraph of text."""
    return f'<p class="{css_class}">{escape(text)}</p>'


def bullet_list(texts: Sequence[str]) -> str:
    """Return a list of the texts, or "" without texts."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def stock_tables(rows_by_title: Mapping[str, Sequence[ProgramTrade]]) -> str:
    """Return tables side by side, or one below the other on a phone; "" without rows."""
    tables = "".join(_table(title, rows) for title, rows in rows_by_title.items() if rows)
    return f'<div class="tables">{tables}</div>' if tables else ""


def _table(title: str, rows: Sequence[ProgramTrade]) -> str:
    headers = "".join(
        f'<th scope="col">{escape(english)}<br/><span lang="ko">{escape(korean)}</span></th>'
        for english, korean in _COLUMN_HEADERS
    )
    table_rows = "".join(_table_row(row) for row in rows)
    return (
        f"<section><table><caption>{escape(title)}<br/><small>{_UNITS}</small></caption>"
        f"<thead><tr>{headers}</tr></thead><tbody>{table_rows}</tbody></table></section>"
    )


def _table_row(row: ProgramTrade) -> str:
    name = f'<th scope="row">{escape(row.stock_name)}</th>'
    price = "" if row.price is None else f"{row.price:,}"
    cells = (row.stock_code, price, format_signed(row.net_buy_amount), f"{row.turnover_share:.2f}")
    return f"<tr>{name}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
