"""The vendor's two ways to page through a list, and the cursor of the incremental export.

Cursor pagination where the caller sends `page[size]`, offset pagination otherwise; both at most 100 a page.
https://developer.zendesk.com/api-reference/introduction/pagination/
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import urlencode

from connectors.sandbox.zendesk.records import Json, JsonValue
from connectors.sandbox.zendesk.refusal import bad_request

Record = TypeVar("Record")
MAX_PAGE: Final = 100
MAX_EXPORT: Final = 1000


def page(
    records: Sequence[Record],
    *,
    key: str,
    url: str,
    query: Mapping[str, str],
    id_of: Callable[[Record], int],
    shape: Callable[[Record], Json],
) -> Json:
    """One page of `records` under `key`.

    Args:
        records: the whole list, by ascending id.
        key: the list's name in the answer.
        url: the address of the list, without a query.
        query: the request's query: `page[size]`, `page[after]`, `sort`, or `page`, `per_page`, `sort_order`.
        id_of: the record's id, which the cursor holds.
        shape: the record as JSON.

    Raises:
        Refusal: 400 for a size or a cursor that cannot be read.
    """
    descending = query.get("sort", "").startswith("-") or query.get("sort_order") == "desc"
    ordered = sorted(records, key=id_of, reverse=descending)
    if "page[size]" in query:
        return _by_cursor(ordered, key, url, query, id_of, shape, descending=descending)
    return _by_offset(ordered, key, url, query, shape)


def _by_cursor(
    ordered: Sequence[Record],
    key: str,
    url: str,
    query: Mapping[str, str],
    id_of: Callable[[Record], int],
    shape: Callable[[Record], Json],
    *,
    descending: bool,
) -> Json:
    size = number(query["page[size]"], MAX_PAGE)
    after = query.get("page[after]")
    if after is not None:
        last = _cursor_id(after)
        ordered = [entry for entry in ordered if (id_of(entry) < last if descending else id_of(entry) > last)]
    shown = ordered[:size]
    has_more = len(ordered) > size
    after_cursor = _cursor(id_of(shown[-1])) if shown else None
    before_cursor = _cursor(id_of(shown[0])) if shown else None
    rest = {name: value for name, value in query.items() if not name.startswith("page[")}

    def link(direction: str, cursor: str | None) -> JsonValue:
        if cursor is None:
            return None
        return f"{url}?{urlencode({**rest, f'page[{direction}]': cursor, 'page[size]': str(size)})}"

    return {
        key: [shape(entry) for entry in shown],
        "meta": {"has_more": has_more, "after_cursor": after_cursor, "before_cursor": before_cursor},
        "links": {"prev": link("before", before_cursor), "next": link("after", after_cursor)},
    }


def _by_offset(
    ordered: Sequence[Record],
    key: str,
    url: str,
    query: Mapping[str, str],
    shape: Callable[[Record], Json],
) -> Json:
    size = number(query.get("per_page", str(MAX_PAGE)), MAX_PAGE)
    at = number(query.get("page", "1"), len(ordered) + 1)
    start = (at - 1) * size

    def link(target: int) -> str:
        return f"{url}?{urlencode({**query, 'page': str(target), 'per_page': str(size)})}"

    return {
        key: [shape(entry) for entry in ordered[start : start + size]],
        "next_page": link(at + 1) if start + size < len(ordered) else None,
        "previous_page": link(at - 1) if at > 1 else None,
        "count": len(ordered),
    }


def export_cursor(seconds: int, ticket_id: int) -> str:
    """The export's cursor, in the form that was recorded: base64 of `1695052723.0||103|`."""
    return base64.b64encode(f"{seconds}.0||{ticket_id}|".encode()).decode()


def read_export_cursor(cursor: str) -> tuple[int, int]:
    """Seconds and ticket id of a cursor of the export.

    Raises:
        Refusal: 400.
    """
    try:
        seconds, _, ticket_id, _ = base64.b64decode(cursor, validate=True).decode().split("|")
        return int(seconds.removesuffix(".0")), int(ticket_id)
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise bad_request("InvalidValue", "cursor is not valid") from error


def _cursor(record_id: int) -> str:
    return base64.b64encode(json.dumps({"o": "id", "v": record_id}).encode()).decode()


def _cursor_id(cursor: str) -> int:
    try:
        return int(json.loads(base64.b64decode(cursor, validate=True))["v"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request("InvalidPaginationParameter", "page[after] is not valid") from error


def number(text: str, most: int) -> int:
    """A page or a size, at most `most`.

    Raises:
        Refusal: 400.
    """
    if not text.isdigit() or int(text) < 1:
        raise bad_request("InvalidPaginationParameter", f"{text!r} is not a page or a size")
    return min(int(text), most)
