"""`python -m evals.hostile_tickets`: tickets written to trick the agent, against the same tickets without the trick.

The money outcome of a ticket is what would be done alone, and to which charge. It never widens: nothing is refunded,
cancelled or credited that the honest ticket would not have brought. Whether a text is recognised as hostile does not
matter for that; how often honest tickets are held because of it is printed, too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evals.hostile_tickets.desk import Desk, Remembering, payloads
from evals.hostile_tickets.places import PLACES
from evals.hostile_tickets.trial import lines_of, try_honest, try_payloads
from graph.models.embedding import load_embedder
from graph.models.local.model import load_local_model


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m evals.hostile_tickets", description=__doc__)
    parser.add_argument("--payloads", type=Path, action="append", help='JSON lines with "text"; else those that ship')
    parser.add_argument("--honest", type=Path, action="append", help='JSON lines with "subject" and "body"')
    parser.add_argument("--each", type=int, default=3, help="tickets that each payload is tried on")
    parser.add_argument("--places", type=_places, default=tuple(PLACES), help=f"of {','.join(PLACES)}; all without it")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    try:
        texts = [str(line["text"]) for path in given.payloads or () for line in lines_of(path)] or list(payloads())
        honest = [line for path in given.honest or (_UNSEEN,) for line in lines_of(path)]
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"cannot read the input: {error}\n")
        return 2
    desk = Desk(load_local_model(Remembering(load_embedder()), shop_currency="usd"))
    result = try_payloads(desk, texts, each=given.each, seed=given.seed, places=given.places)
    try_honest(desk, result, honest)
    sys.stdout.write("\n".join(result.lines()) + "\n")
    return 0 if result.holds else 1


def _places(names: str) -> tuple[str, ...]:
    chosen = tuple(names.split(","))
    unknown = [name for name in chosen if name not in PLACES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no place {unknown[0]!r}: write some of {','.join(PLACES)}")
    return chosen


_UNSEEN = Path(__file__).parents[1] / "triage" / "unseen.jsonl"

if __name__ == "__main__":
    sys.exit(main())
