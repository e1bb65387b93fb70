"""How well and how fast two lists of firms are paired: precision, recall, seconds and memory on a labelled data set.

    python -m sagezoho_pipelines_tests.benchmarks.matching --size 50000

Precision is the share of pairs matched without a person that are right; recall the share of true pairs so matched;
`found` counts those too that a person is asked about with the right candidate shown.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass

from sagezoho_pipelines.domain.matching.match import Matching, match
from sagezoho_pipelines_tests.benchmarks.firms import Labelled, labelled


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one data set; `megabytes` is the most this process ever held."""

    left: int
    right: int
    common: int
    matched: int
    wrong: int
    ambiguous: int
    precision: float
    recall: float
    found: float
    seconds: float
    cpu_seconds: float
    megabytes: int


def measure(data: Labelled) -> tuple[Figures, Matching]:
    started, busy = time.perf_counter(), time.process_time()
    done = match(data.left, data.right)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    right = sum(data.truth.get(pair.left) == pair.right for pair in done.matched)
    asked = sum(
        any(data.truth.get(question.left) == pair.right for pair in question.candidates) for question in done.ambiguous
    )
    common = len(data.truth)
    figures = Figures(
        left=len(data.left),
        right=len(data.right),
        common=common,
        matched=len(done.matched),
        wrong=len(done.matched) - right,
        ambiguous=len(done.ambiguous),
        precision=round(right / max(1, len(done.matched)), 5),
        recall=round(right / max(1, common), 4),
        found=round((right + asked) / max(1, common), 4),
        seconds=round(seconds, 1),
        cpu_seconds=round(busy, 1),
        megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
    return figures, done


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=50_000, help="firms on each side")
    parser.add_argument("--common", type=float, default=0.4, help="share of them that both sides know")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--wrong", action="store_true", help="show the pairs that are wrong, and some that were missed")
    given = parser.parse_args(arguments)
    data = labelled(seed=given.seed, left=given.size, right=given.size, common=round(given.size * given.common))
    figures, done = measure(data)
    if given.json:
        print(json.dumps(asdict(figures)))
    else:
        for name, value in asdict(figures).items():
            print(f"{name:>10}  {value}")
    if given.wrong:
        _show(data, done)
    return 0 if figures.precision >= 0.999 else 1


def _show(data: Labelled, done: Matching) -> None:
    for pair in done.matched:
        if data.truth.get(pair.left) != pair.right:
            print("wrong", pair.rule, pair.score, "; ".join(map(str, pair.evidence)))
    lefts, rights = ({party.key: party for party in side} for side in (data.left, data.right))
    missed = [key for key in done.only_left if key in data.truth]
    for key in missed[:40]:
        print("missed", lefts[key], rights[data.truth[key]], sep="\n   ")
    asked = [question for question in done.ambiguous if question.left in data.truth]
    for question in asked[:60]:
        print("asked", question.why)
        for pair in question.candidates[:2]:
            true = data.truth[question.left] == pair.right
            print("   ", true, pair.rule, pair.sure, pair.score, "; ".join(map(str, pair.evidence)))


if __name__ == "__main__":
    sys.exit(main())
