"""The manifest: what is known of every walk, and the pages of those that are not whole yet.

SQLite, so that a process which dies leaves the last page it was given, and two do not tread on
each other. Knows no client and no Parquet file.
"""

import datetime
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import attrs

from kiwoom_async import (
    Cursor,
    Exchange,
    Market,
    ProgramTradeQuery,
)

from ._entry import Entry, State
from ._kept import TradePage, columns, pages

_VERSION: Final = 1
_BUSY_SECONDS: Final = 30.0
_SCHEMA: Final = """
CREATE TABLE walks (
    date TEXT, market TEXT, exchange TEXT,
    state TEXT NOT NULL, provisional INTEGER NOT NULL DEFAULT 0,
    rows INTEGER NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0, checksum TEXT NOT NULL DEFAULT '',
    audit TEXT NOT NULL DEFAULT '', findings TEXT NOT NULL DEFAULT '[]',
    totals TEXT NOT NULL DEFAULT '', undecoded TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', holiday TEXT NOT NULL DEFAULT '',
    began TEXT, ended TEXT, owner TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (date, market, exchange)
) WITHOUT ROWID;
CREATE TABLE pages (
    date TEXT, market TEXT, exchange TEXT, came TEXT NOT NULL,
    number INTEGER, next TEXT, blank_rows INTEGER NOT NULL, totals TEXT NOT NULL,
    undecoded TEXT NOT NULL, rows BLOB NOT NULL,
    PRIMARY KEY (date, market, exchange, number)
);
CREATE TABLE source (host TEXT NOT NULL);
"""
_ITS_PAGES: Final = "SELECT * FROM pages WHERE date = ? AND market = ? AND exchange = ?"
_FIRST_CAME: Final = "SELECT min(came) FROM pages WHERE date = ? AND market = ? AND exchange = ?"
_FORGET: Final = "DELETE FROM pages WHERE date = ? AND market = ? AND exchange = ?"
_ADD: Final = "REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# The last page that is kept of each walk says where it goes on.
_ENTRIES: Final = """
SELECT walks.*, kept.next AS cursor, ifnull(kept.number, 0) AS kept FROM walks
LEFT JOIN pages AS kept ON kept.rowid = (
    SELECT rowid FROM pages
    WHERE (date, market, exchange) = (walks.date, walks.market, walks.exchange)
    ORDER BY number DESC LIMIT 1
)
"""


class Manifest:
    """An open manifest; used by one thread at a time."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        if not new and not path.exists():
            raise FileNotFoundError(f"{path.parent} holds no archive; a fetch makes one")
        self._db = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(path)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, path: Path) -> None:
        self._db.row_factory = sqlite3.Row
        # Nothing is lost when a process dies; a power cut may take the last pages, no more.
        self._db.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            version = self._made()
        if version != _VERSION:
            raise ValueError(
                f"{path}: the manifest has version {version}, this is for {_VERSION}; "
                "use the version of kiwoom_async that made it, or a newer one"
            )

    def _made(self) -> int:
        self._db.execute("PRAGMA journal_mode = WAL")
        with self._at_once():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:  # nobody else has made it meanwhile
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
                version = _VERSION
        return int(version)

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """All or nothing, and nobody else meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # ---- reading

    def entries(self) -> list[Entry]:
        """All of them, by day, market and exchange."""
        entries = [_entry(row) for row in self._db.execute(_ENTRIES)]
        order = {member: place for place, member in enumerate((*Market, *Exchange))}
        return sorted(
            entries,
            key=lambda one: (one.query.date, order[one.query.market], order[one.query.exchange]),
        )

    def entry(self, query: ProgramTradeQuery) -> Entry | None:
        """That of one query."""
        where = " WHERE (walks.date, walks.market, walks.exchange) = (?, ?, ?)"
        row = self._db.execute(_ENTRIES + where, _key(query)).fetchone()
        return None if row is None else _entry(row)

    def pages(self, query: ProgramTradeQuery) -> list[TradePage]:
        """The pages that are kept of a walk, in order."""
        found = self._db.execute(f"{_ITS_PAGES} ORDER BY number", _key(query)).fetchall()
        return pages(query, found)

    def holds_all_up_to(self, query: ProgramTradeQuery, number: int) -> bool:
        """Whether the kept pages are the first so many, and any at all."""
        return 0 < number == len(self._db.execute(_ITS_PAGES, _key(query)).fetchall())

    def began(self, query: ProgramTradeQuery) -> datetime.datetime | None:
        """When the first of the kept pages came."""
        (came,) = self._db.execute(_FIRST_CAME, _key(query)).fetchone()
        return _time(came)

    @property
    def source(self) -> str:
        """The host that the walks are from; "" before the first fetch."""
        row = self._db.execute("SELECT host FROM source").fetchone()
        return "" if row is None else str(row["host"])

    # ---- writing

    def take_from(self, host: str) -> None:
        """Say where walks come from; ValueError where others are from somewhere else."""
        with self._at_once():
            source = self.source
            if not source:
                self._db.execute("INSERT INTO source VALUES (?)", (host,))
        if source and source != host:
            raise ValueError(
                f"this archive holds walks from {source}, and these would come from {host}: "
                "invented and real numbers must not mix; use another folder"
            )

    def claim(
        self, query: ProgramTradeQuery, owner: str, is_alive: Callable[[str], bool]
    ) -> Entry | None:
        """What was known of the walk that is the owner's now; None while it is another's."""
        with self._at_once():
            known = self.entry(query) or Entry(query=query, state=State.UNFINISHED)
            if known.owner and known.owner != owner and is_alive(known.owner):
                return None
            self._put(attrs.evolve(known, owner=owner))
        return known

    def add(self, page: TradePage, now: datetime.datetime) -> None:
        """Keep a page, and where the walk goes on after it."""
        with self._at_once():
            self._db.execute(_ADD, (*_key(page.query), now.isoformat(), *columns(page)))

    def settle(self, entry: Entry) -> None:
        """Write what a walk has come to, and let go of its pages."""
        with self._at_once():
            self._put(entry)
            self._forget(entry.query)

    def update(self, entry: Entry) -> None:
        """Write what is known of a walk that keeps its pages."""
        with self._at_once():
            self._put(entry)

    def release(self, owner: str) -> None:
        """Let others have what the owner has not finished."""
        with self._at_once():
            self._db.execute("UPDATE walks SET owner = '' WHERE owner = ?", (owner,))

    def _forget(self, query: ProgramTradeQuery) -> None:
        self._db.execute(_FORGET, _key(query))

    def _put(self, entry: Entry) -> None:
        values = _values(entry)
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        replace = f"REPLACE INTO walks ({names}) VALUES ({marks})"  # noqa: S608 - our own names
        self._db.execute(replace, tuple(values.values()))


def _key(query: ProgramTradeQuery) -> tuple[str, str, str]:
    return str(query.date), str(query.market), str(query.exchange)


def _values(entry: Entry) -> dict[str, Any]:
    date, market, exchange = _key(entry.query)
    computed = {"query", "kept_pages", "cursor"}
    names = (field.name for field in attrs.fields(Entry) if field.name not in computed)
    return {"date": date, "market": market, "exchange": exchange} | {
        name: _plain(getattr(entry, name)) for name in names
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, int) else str(value)


def _entry(row: sqlite3.Row) -> Entry:
    facts = dict(row)
    date, market, exchange = (facts.pop(name) for name in ("date", "market", "exchange"))
    cursor = facts.pop("cursor")
    return Entry(
        query=ProgramTradeQuery(date, Market(market), Exchange(exchange)),
        state=State(facts.pop("state")),
        provisional=bool(facts.pop("provisional")),
        findings=json.loads(facts.pop("findings")),
        began=_time(facts.pop("began")),
        ended=_time(facts.pop("ended")),
        kept_pages=facts.pop("kept"),
        cursor=None if cursor is None else Cursor.parse(cursor),
        **facts,
    )


def _time(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)
