"""`python -m evals.replies`: false alarms on good replies, and how many of the planted bad ones are stopped.

Good replies are what the templates write (`benign`); a bad one is a good one with a sentence of `planted.yaml` in it,
and counts as stopped by its own check or by any. Both are ours: the figures say that the checks work, not how inventive
anybody else will be. Exit status 1 where a good reply is stopped or a bad one is not.
"""

from __future__ import annotations

import sys

from evals.replies.trial import run


def main() -> int:
    """Run it."""
    result = run()
    sys.stdout.write("\n".join(result.lines()) + "\n")
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main())
