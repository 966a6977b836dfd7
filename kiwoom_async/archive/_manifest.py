"""The manifest: an SQLite database of every walk's entry, and the pages of unfinished walks.

SQLite, because a killed process leaves what it has committed, and several processes may write.
"""

import datetime
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import attrs

from kiwoom_async import Cursor, Query
from kiwoom_async.errors import require_extra

from ._data_set import DataSet
from ._entry import Entry, State
from ._page_codec import WalkPage, decode_pages, encode_page
from ._queries import key_of, new_entry

with require_extra("archive", "pyarrow"):
    import pyarrow as pa

_VERSION: Final = 3
# A write takes milliseconds; only a stuck process would make another wait this long.
_BUSY_TIMEOUT_SECONDS: Final = 30.0
_CREATE_TABLES: Final = """
CREATE TABLE data_sets (
    name TEXT PRIMARY KEY, api_id TEXT NOT NULL, folder TEXT NOT NULL,
    levels TEXT NOT NULL, columns BLOB NOT NULL
);
CREATE TABLE walks (
    api_id TEXT, body TEXT, data_set TEXT NOT NULL, fields TEXT NOT NULL, label TEXT NOT NULL,
    day TEXT, file TEXT NOT NULL,
    state TEXT NOT NULL, provisional INTEGER NOT NULL DEFAULT 0,
    rows INTEGER NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0, checksum TEXT NOT NULL DEFAULT '',
    audit TEXT NOT NULL DEFAULT '', findings TEXT NOT NULL DEFAULT '[]',
    totals TEXT NOT NULL DEFAULT '', undecoded TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', holiday TEXT NOT NULL DEFAULT '',
    began TEXT, ended TEXT, owner TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (api_id, body)
) WITHOUT ROWID;
CREATE TABLE pages (
    api_id TEXT, body TEXT, received TEXT NOT NULL,
    number INTEGER, next TEXT, blank_rows INTEGER NOT NULL, totals TEXT NOT NULL,
    undecoded TEXT NOT NULL, rows BLOB NOT NULL,
    stated_rows INTEGER, restarted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (api_id, body, number)
);
CREATE TABLE source (host TEXT NOT NULL);
"""
_OF_ONE_WALK: Final = "FROM pages WHERE api_id = ? AND body = ?"
_SELECT_PAGES: Final = f"SELECT * {_OF_ONE_WALK} ORDER BY number"
_COUNT_PAGES: Final = f"SELECT count(*) {_OF_ONE_WALK}"
_SELECT_FIRST_RECEIVED: Final = f"SELECT min(received) {_OF_ONE_WALK}"
_DELETE_PAGES: Final = f"DELETE {_OF_ONE_WALK}"
_INSERT_PAGE: Final = "REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_DATA_SET: Final = "INSERT OR IGNORE INTO data_sets VALUES (?, ?, ?, ?, ?)"
# A walk resumes at the cursor of its last stored page.
_SELECT_ENTRIES: Final = """
SELECT walks.*, last_page.next AS cursor, ifnull(last_page.number, 0) AS kept_pages FROM walks
LEFT JOIN pages AS last_page ON last_page.rowid = (
    SELECT rowid FROM pages WHERE (api_id, body) = (walks.api_id, walks.body)
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
        if version != _VERSION:
            raise ValueError(
                f"{path}: got manifest version {version}; expected {_VERSION}; use the version "
                "of kiwoom_async that made it, or another folder"
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
        """Return all entries, by data set and body, without their queries."""
        rows = self._db.execute(f"{_SELECT_ENTRIES} ORDER BY walks.data_set, walks.body")
        return [_decode_entry(row) for row in rows]

    def entry(self, query: Query[Any, Any]) -> Entry | None:
        """Return the entry of a walk, or None if it was never claimed."""
        where = " WHERE (walks.api_id, walks.body) = (?, ?)"
        row = self._db.execute(_SELECT_ENTRIES + where, key_of(query)).fetchone()
        return None if row is None else attrs.evolve(_decode_entry(row), query=query)

    def data_sets(self) -> dict[str, DataSet]:
        """Return the data sets of the archive by name."""
        rows = self._db.execute("SELECT * FROM data_sets ORDER BY name")
        return {row["name"]: _decode_data_set(row) for row in rows}

    def add_data_sets(self, data_sets: Iterable[DataSet]) -> None:
        """Record data sets, unless their names are there already."""
        with self._transaction():
            self._db.executemany(_INSERT_DATA_SET, map(_encode_data_set, data_sets))

    def pages(self, query: Query[Any, Any]) -> list[WalkPage]:
        """Return the stored pages of a walk, in order."""
        stored = self._db.execute(_SELECT_PAGES, key_of(query)).fetchall()
        return decode_pages(query, stored)

    def has_all_pages(self, query: Query[Any, Any], last: int) -> bool:
        """Return True if pages 1 to `last` of a walk are stored, and there are any."""
        (count,) = self._db.execute(_COUNT_PAGES, key_of(query)).fetchone()
        return bool(0 < last == count)

    def first_received(self, query: Query[Any, Any]) -> datetime.datetime | None:
        """Return the time of a walk's earliest stored page, or None without pages."""
        (received,) = self._db.execute(_SELECT_FIRST_RECEIVED, key_of(query)).fetchone()
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
        self, query: Query[Any, Any], owner: str, is_alive: Callable[[str], bool]
    ) -> Entry | None:
        """Make `owner` the owner of a walk; return the entry as it was before.

        Returns None if another owner that is alive has it.
        """
        with self._transaction():
            entry = self.entry(query) or new_entry(query)
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
        values = (*key_of(page.query), received.isoformat(), *encode_page(page))
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
            self._db.execute(_DELETE_PAGES, entry.key)

    def _write(self, entry: Entry) -> None:
        values = _encode_entry(entry)
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        replace = f"REPLACE INTO walks ({names}) VALUES ({marks})"  # noqa: S608 - attribute names
        self._db.execute(replace, tuple(values.values()))


def _encode_entry(entry: Entry) -> dict[str, Any]:
    """Return the row of an entry; `kept_pages` and `cursor` follow from its pages instead."""
    computed = {"query", "body", "kept_pages", "cursor"}
    names = (field.name for field in attrs.fields(Entry) if field.name not in computed)
    values = {name: _sqlite_value(getattr(entry, name)) for name in names}
    return {"api_id": entry.api_id, "body": entry.key[1]} | values


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value if value is None or isinstance(value, int) else str(value)


def _decode_entry(row: sqlite3.Row) -> Entry:
    columns = dict(row)
    cursor, day = columns.pop("cursor"), columns.pop("day")
    return Entry(
        query=None,
        body=json.loads(columns.pop("body")),
        fields=json.loads(columns.pop("fields")),
        day=None if day is None else datetime.date.fromisoformat(day),
        state=State(columns.pop("state")),
        provisional=bool(columns.pop("provisional")),
        findings=json.loads(columns.pop("findings")),
        began=_parse_time(columns.pop("began")),
        ended=_parse_time(columns.pop("ended")),
        cursor=None if cursor is None else Cursor.parse(cursor),
        **columns,
    )


def _encode_data_set(data_set: DataSet) -> tuple[str, str, str, str, bytes]:
    columns = data_set.columns.serialize().to_pybytes()
    levels = json.dumps(data_set.levels, ensure_ascii=False)
    return data_set.name, data_set.api_id, data_set.folder, levels, columns


def _decode_data_set(row: sqlite3.Row) -> DataSet:
    return DataSet(
        name=row["name"],
        api_id=row["api_id"],
        folder=row["folder"],
        levels=tuple(json.loads(row["levels"])),
        columns=pa.ipc.read_schema(pa.py_buffer(row["columns"])),
    )


def _parse_time(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)
