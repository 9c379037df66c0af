"""What a tenant may be called: nothing that could mean something to PostgreSQL, a path or an address."""

from __future__ import annotations

import re
from typing import Final

from app.errors import DatabaseError

_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_tenant(tenant_id: str) -> None:
    """Refuse a name that is not lower-case letters, digits, `-` and `_`, at most 63 of them.

    Raises:
        DatabaseError: the name does not fit. `*` does not fit either: it is nobody's to write.
    """
    if _TENANT.fullmatch(tenant_id) is None:
        raise DatabaseError(
            f"a tenant called {tenant_id!r}; use lower-case letters, digits, '-' and '_', at most 63 of them"
        )
