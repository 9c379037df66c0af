"""The one error of worlds."""

from __future__ import annotations

from connectors.errors import ConnectorError


class WorldError(ConnectorError):
    """A world that cannot be loaded; whoever wrote it must act.

    Each of `problems` is a line of its own: `file:line: key: what is wrong`.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
