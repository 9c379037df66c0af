"""What is wrong with what a suite was given.

::

    SuiteError           one clear line for each problem; nothing was played
"""

from __future__ import annotations


class SuiteError(ValueError):
    """Scenario files or a report cannot be used; every problem is one line that says what to do.

    Args:
        problems: at least one.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
