"""The report as Markdown, for a pull request or a README."""

from __future__ import annotations

from collections.abc import Iterator

from evals.suites.results import Results, Totals, by_tag, pass_k, totals
from evals.suites.statistics import quantile, share

KINDS = ("suite", "intent", "tier", "segment", "difficulty", "language")


def markdown(results: Results) -> str:
    """The whole report."""
    return "\n".join(_lines(results)) + "\n"


def figures(results: Results) -> Iterator[str]:
    """The lines that stand first: what must be zero, and the shares with their intervals."""
    found = totals(results.trials)
    over = ", ".join(f"{minor} {currency}" for currency, minor in found.over_refunded_minor.items()) or "0"
    yield "| what | |"
    yield "| --- | --- |"
    yield f"| over-refunded, minor units | {over} |"
    yield f"| refunds on a wrong charge | {found.wrong_charges} |"
    yield f"| refunds where none is due | {found.unexpected_refunds} |"
    yield f"| scenarios, trials | {len(results.by_scenario)}, {found.trials} |"
    yield f"| correct | {found.correct}: {share(found.correct, found.trials)} |"
    yield f"| correct or safe | {found.in_order}: {share(found.in_order, found.trials)} |"
    yield f"| wrong | {found.wrong} |"
    if results.made.trials > 1:
        for k in range(1, results.made.trials + 1):
            yield f"| pass^{k} | {pass_k(results, k):.3f} |"
    replayed = [one for trial in results.trials for one in trial.ending.replayed]
    identical = sum(not one.differences for one in replayed)
    yield f"| runs replayed, identical | {len(replayed)}, {identical} |"
    effects = sum(one.ending.effects for one in results.trials)
    nobodys = sum(len(one.ending.unanswered) for one in results.trials)
    yield f"| effects, of them without identity, credential, policy version or time in the log | {effects}, {nobodys} |"
    worked = [one.ending.use.worked_ms / 1000 for one in results.trials]
    cost = sum(one.ending.use.cost_usd_micros for one in results.trials) / 1_000_000
    median, high = quantile(worked, 0.5), quantile(worked, 0.95)
    yield f"| work in nodes, median and 95th percentile | {median:.2f} s, {high:.2f} s |"
    yield f"| model cost of all | {cost:.4f} USD |"
    yield f"| wall time | {results.made.seconds:.0f} s with {results.made.workers} processes |"


def _lines(results: Results) -> Iterator[str]:
    made = results.made
    yield "# Scenarios"
    yield ""
    yield (
        f"Commit {made.commit}, seed {made.seed}, provider {made.provider} ({', '.join(made.models)}), at {made.at}. "
        "Intervals are Wilson's at 95 %."
    )
    yield ""
    yield from figures(results)
    for kind in KINDS:
        groups = {tag: one for tag, one in by_tag(results).items() if tag.startswith(f"{kind}:")}
        if groups:
            yield ""
            yield f"## By {kind}"
            yield ""
            yield f"| {kind} | trials | correct | safe | wrong | correct, 95 % |"
            yield "| --- | --- | --- | --- | --- | --- |"
            for tag, group in groups.items():
                yield _row(tag.partition(":")[2], group)
    yield ""
    yield "## What was not as expected"
    yield ""
    if not results.failures:
        yield "Nothing."
    for failed in results.failures:
        yield f"- **{failed.mark.value}** `{failed.id}` ({failed.suite}, trial {failed.trial})"
        for one in failed.differences:
            yield f"  - {one.facet}: expected {one.expected}; saw {one.seen}{' **(harm)**' if one.is_breach else ''}"
        for trouble in failed.ending.troubles:
            yield f"  - {trouble}"
    yield ""
    yield "## Versions"
    yield ""
    for name, version in made.versions.items():
        yield f"- {name} {version}"
    for policy, trials in made.policies.items():
        yield f"- policy {policy[:12]}: {trials} trials"


def _row(name: str, one: Totals) -> str:
    return f"| {name} | {one.trials} | {one.correct} | {one.safe} | {one.wrong} | {share(one.correct, one.trials)} |"
