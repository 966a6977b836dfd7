"""The manifest: an SQLite database of every walk's entry, and the pages of unfinished walks.

SQLite, because a killed process leaves what it has committed, and several processes may write.
"""

import datetime
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import attrs

from kiwoom_async import Cursor, Exchange, Market, ProgramTradeQuery

from ._entry import Entry, State
from ._page_codec import WalkPage, decode_pages, encode_page

_VERSION: Final = 2
# A write takes milliseconds; only a stuck process would make another wait this long.
_BUSY_TIMEOUT_SECONDS: Final = 30.0
_CREATE_TABLES: Final = """
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
    date TEXT, market TEXT, exchange TEXT, received TEXT NOT NULL,
    number INTEGER, next TEXT, blank_rows INTEGER NOT NULL, totals TEXT NOT NULL,
    undecoded TEXT NOT NULL, rows BLOB NOT NULL,
    stated_rows INTEGER, restarted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (date, market, exchange, number)
);
CREATE TABLE source (host TEXT NOT NULL);
"""
_UPGRADE_FROM_1: Final = """
ALTER TABLE pages ADD COLUMN stated_rows INTEGER;
ALTER TABLE pages ADD COLUMN restarted INTEGER NOT NULL DEFAULT 0
"""
_OF_ONE_WALK: Final = "FROM pages WHERE date = ? AND market = ? AND exchange = ?"
_SELECT_PAGES: Final = f"SELECT * {_OF_ONE_WALK} ORDER BY number"
_COUNT_PAGES: Final = f"SELECT count(*) {_OF_ONE_WALK}"
_SELECT_FIRST_RECEIVED: Final = f"SELECT min(received) {_OF_ONE_WALK}"
_DELETE_PAGES: Final = f"DELETE {_OF_ONE_WALK}"
_INSERT_PAGE: Final = "REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# A walk resumes at the cursor of its last stored page.
_SELECT_ENTRIES: Final = """
SELECT walks.*, last_page.next AS cursor, ifnull(last_page.number, 0) AS kept_pages FROM walks
LEFT JOIN pages AS last_page ON last_page.rowid = (
    SELECT rowid FROM pages
    WHERE (date, market, exchange) = (walks.date, walks.market, walks.exchange)
    ORDER BY number DESC LIMIT 1
)
"""


class Manifest:
    """An open manifest; for one thread at a time."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise FileNotFoundError(f"{path.parent} holds no archive; a fetch makes one")
        self._db = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(path)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, path: Path) -> None:
        self._db.row_factory = sqlite3.Row
        # A dying process loses nothing; a power cut may take the last pages, no more.
        self._db.execute("PRAGMA synchronous = NORMAL")
        version = self._stored_version() or self._create_tables()
        if version == 1:
            version = self._upgrade()
        if version != _VERSION:
            raise ValueError(
                f"{path}: got manifest version {version}; expected {_VERSION}; "
                "use the version of kiwoom_async that made it, or a newer one"
            )

    def _stored_version(self) -> int:
        """Return the version of the tables, 0 if there are none."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _create_tables(self) -> int:
        """Create the tables unless another process just did; return their version."""
        self._db.execute("PRAGMA journal_mode = WAL")
        with self._transaction():
            if self._stored_version() == 0:
                for statement in _CREATE_TABLES.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
            return self._stored_version()

    def _upgrade(self) -> int:
        """Upgrade tables of version 1 unless another process just did; return their version."""
        with self._transaction():
            if self._stored_version() == 1:
                for statement in _UPGRADE_FROM_1.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
            return self._stored_version()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what the block writes, or nothing if it raises; other processes wait."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def entries(self) -> list[Entry]:
        """Return all entries, by day, market and exchange."""
        entries = [_decode_entry(row) for row in self._db.execute(_SELECT_ENTRIES)]
        return sorted(entries, key=_sort_key)

    def entry(self, query: ProgramTradeQuery) -> Entry | None:
        """Return the entry of a walk, or None if it was never claimed."""
        where = " WHERE (walks.date, walks.market, walks.exchange) = (?, ?, ?)"
        row = self._db.execute(_SELECT_ENTRIES + where, _primary_key(query)).fetchone()
        return None if row is None else _decode_entry(row)

    def pages(self, query: ProgramTradeQuery) -> list[WalkPage]:
        """Return the stored pages of a walk, in order."""
        stored = self._db.execute(_SELECT_PAGES, _primary_key(query)).fetchall()
        return decode_pages(query, stored)

    def has_all_pages(self, query: ProgramTradeQuery, last: int) -> bool:
        """Return True if pages 1 to `last` of a walk are stored, and there are any."""
        (count,) = self._db.execute(_COUNT_PAGES, _primary_key(query)).fetchone()
        return bool(0 < last == count)

    def first_received(self, query: ProgramTradeQuery) -> datetime.datetime | None:
        """Return the time of a walk's earliest stored page, or None without pages."""
        (received,) = self._db.execute(_SELECT_FIRST_RECEIVED, _primary_key(query)).fetchone()
        return _parse_time(received)

    @property
    def source(self) -> str:
        """The server that the walks came from, "" before the first fetch."""
        row = self._db.execute("SELECT host FROM source").fetchone()
        return "" if row is None else str(row["host"])

    def set_source(self, host: str) -> None:
        """Record the server of the walks; raise ValueError if earlier ones came from another."""
        with self._transaction():
            if not self.source:
                self._db.execute("INSERT INTO source VALUES (?)", (host,))
        self.check_source(host)

    def check_source(self, host: str) -> None:
        """Raise ValueError if the walks came from another server."""
        source = self.source
        if source and source != host:
            raise ValueError(
                f"base_url: got {host}; expected {source}, where this archive's earlier walks are "
                "from; simulated and real numbers must not mix, so use another folder"
            )

    def claim(
        self, query: ProgramTradeQuery, owner: str, is_alive: Callable[[str], bool]
    ) -> Entry | None:
        """Make `owner` the owner of a walk; return the entry as it was before.

        Returns None if another owner that is alive has it.
        """
        with self._transaction():
            entry = self.entry(query) or Entry(query=query, state=State.UNFINISHED)
            if entry.owner and entry.owner != owner and is_alive(entry.owner):
                return None
            self._write(attrs.evolve(entry, owner=owner))
        return entry

    def release(self, owner: str) -> None:
        """Let other owners claim all walks of this one."""
        with self._transaction():
            self._db.execute("UPDATE walks SET owner = '' WHERE owner = ?", (owner,))

    def add_page(self, page: WalkPage, received: datetime.datetime) -> None:
        """Store a page, and with it the cursor at which the walk goes on."""
        values = (*_primary_key(page.query), received.isoformat(), *encode_page(page))
        with self._transaction():
            self._db.execute(_INSERT_PAGE, values)

    def update(self, entry: Entry) -> None:
        """Write an entry; the walk's pages stay."""
        with self._transaction():
            self._write(entry)

    def settle(self, entry: Entry) -> None:
        """Write an entry and delete the walk's pages."""
        with self._transaction():
            self._write(entry)
            self._db.execute(_DELETE_PAGES, _primary_key(entry.query))

    def _write(self, entry: Entry) -> None:
        values = _encode_entry(entry)
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        replace = f"REPLACE INTO walks ({names}) VALUES ({marks})"  # noqa: S608 - attribute names
        self._db.execute(replace, tuple(values.values()))


def _primary_key(query: ProgramTradeQuery) -> tuple[str, str, str]:
    return str(query.date), str(query.market), str(query.exchange)


def _sort_key(entry: Entry) -> tuple[datetime.date, int, int]:
    query = entry.query
    return query.date, [*Market].index(query.market), [*Exchange].index(query.exchange)


def _encode_entry(entry: Entry) -> dict[str, Any]:
    """Return the row of an entry; `kept_pages` and `cursor` follow from its pages instead."""
    date, market, exchange = _primary_key(entry.query)
    computed = {"query", "kept_pages", "cursor"}
    names = (field.name for field in attrs.fields(Entry) if field.name not in computed)
    return {"date": date, "market": market, "exchange": exchange} | {
        name: _sqlite_value(getattr(entry, name)) for name in names
    }


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, int) else str(value)


def _decode_entry(row: sqlite3.Row) -> Entry:
    columns = dict(row)
    date, market, exchange = (columns.pop(name) for name in ("date", "market", "exchange"))
    cursor = columns.pop("cursor")
    return Entry(
        query=ProgramTradeQuery(date, Market(market), Exchange(exchange)),
        state=State(columns.pop("state")),
        provisional=bool(columns.pop("provisional")),
        findings=json.loads(columns.pop("findings")),
        began=_parse_time(columns.pop("began")),
        ended=_parse_time(columns.pop("ended")),
        cursor=None if cursor is None else Cursor.parse(cursor),
        **columns,
    )


def _parse_time(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)
