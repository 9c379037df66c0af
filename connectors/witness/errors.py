"""What a witness may object."""

from __future__ import annotations

from connectors.errors import ConnectorError


class SawAnotherSize(ConnectorError):
    """The witness saw a checkpoint of another size last; `size` is that."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness has seen {size} events: prove from there")
        self.size = size
