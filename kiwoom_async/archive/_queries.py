"""Queries of any request: the entry of one, the query of an entry, and which cannot be archived."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs

from kiwoom_async import Query
from kiwoom_async._protocol.declaration import check_declaration
from kiwoom_async._protocol.pages import first_cursor

from ._data_set import DataSet, data_set_name, data_set_of, file_paths
from ._entry import Entry, Key, State, key_of_body
from ._records import decode_records, encode_record


def key_of(query: Query[Any, Any]) -> Key:
    """Return the request as it is sent, by which an archive tells its walks apart."""
    cursor = first_cursor(query)
    return key_of_body(cursor.api_id, dict(cursor.body))


def new_entry(query: Query[Any, Any]) -> Entry:
    """Return the entry of a walk that has not begun; ValueError for a query that has no place."""
    return new_entries([query])[0]


def new_entries(queries: Sequence[Query[Any, Any]]) -> list[Entry]:
    """Return `new_entry` of each query; together, because tables take their time."""
    groups: defaultdict[Any, list[Query[Any, Any]]] = defaultdict(list)
    for query in queries:
        groups[type(query)].append(query)
    entries: dict[Any, Entry] = {}
    for query_class, group in groups.items():
        try:
            files = file_paths(group)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{query_class.__name__}: cannot be archived: {error}") from error
        entries |= {each.query: each for each in map(_new_entry, group, files)}
    return [entries[query] for query in queries]


def _new_entry(query: Query[Any, Any], file: str) -> Entry:
    return Entry(
        query=query,
        state=State.UNFINISHED,
        api_id=query.api_id,
        body=dict(first_cursor(query).body),
        fields=encode_record(query),
        label=str(query),
        day=query.day(),
        data_set=data_set_of(type(query)).name,
        file=file,
    )


def check_places(
    new: Sequence[Entry], stored: Sequence[Entry], data_sets: Mapping[str, DataSet]
) -> None:
    """Raise ValueError for a query that would get in the way of another, or of earlier rows."""
    for data_set in {data_set_of(type(entry.query)) for entry in new}:
        if data_sets.get(data_set.name, data_set) != data_set:
            raise ValueError(
                f"{data_set.name}: the archive's earlier rows have other columns or types than the "
                "class declares now; use another folder"
            )
    by_key = {entry.key: entry for entry in stored}
    # Windows and macOS do not tell upper from lower case.
    by_file = {entry.file.casefold(): entry for entry in stored}
    asked: set[Key] = set()
    for entry in new:
        key, file = entry.key, entry.file
        same = by_key.get(key)
        other = by_file.get(file.casefold())
        if same and (same.file != file or key in asked):
            raise ValueError(
                f"queries: {entry.label} is the same request as {same.label}; use another folder"
            )
        if other and other.key != key:
            raise ValueError(
                f"queries: {entry.label} would have its file in the place of {other.label}'s; "
                "use another folder"
            )
        asked.add(key)
        by_key[key] = by_file[file.casefold()] = entry


def with_queries(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries, with the query of each whose class has been imported."""
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.data_set].append(entry)
    queries: dict[Key, Any] = {}
    for name, group in groups.items():
        labels = {entry.key: entry.label for entry in group}
        for query_class in _imported_classes(name):
            for key, query in _rebuilt(group, query_class).items():
                # Several classes may declare the same request, as other modules do.
                if key not in queries or str(query) == labels[key]:
                    queries[key] = query
    return [attrs.evolve(entry, query=queries.get(entry.key)) for entry in entries]


def _imported_classes(name: str) -> list[type[Query[Any, Any]]]:
    """Return the classes of a data set's queries, the latest last."""
    return [each for each in _subclasses(Query) if data_set_name(each) == name]


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    """Yield every class of queries that works."""
    for each in cls.__subclasses__():
        # Of a class with slots, attrs leaves the one that it was made of, until it is collected.
        if "__attrs_attrs__" in vars(each):
            with suppress(TypeError, ValueError):
                check_declaration(each)
                yield each
        yield from _subclasses(each)


def _rebuilt(entries: Sequence[Entry], query_class: type[Query[Any, Any]]) -> dict[Key, Any]:
    """Return the queries that this class makes of their fields, if they ask for the same."""
    try:
        queries = decode_records([entry.fields for entry in entries], query_class)
    except (TypeError, ValueError):
        return {}
    return {
        entry.key: query
        for entry, query in zip(entries, queries, strict=True)
        if key_of(query) == entry.key
    }
