"""Which firm of one system is which firm of the other: the pairs that the rules find, settled among all firms.

Sure pairs are matched only while neither firm has another candidate that comes near: a wrong link is worse than a
question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sagezoho_pipelines.domain.matching import blocks
from sagezoho_pipelines.domain.matching.parties import Party, phone_number
from sagezoho_pipelines.domain.matching.rules import Pair, Thresholds, judged


@dataclass(frozen=True, slots=True)
class Question:
    """A firm of the left side whose candidates a person must choose from, and why nobody else can."""

    left: str
    candidates: tuple[Pair, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Matching:
    """Every firm of the left side is in exactly one of matched, ambiguous and only_left."""

    matched: tuple[Pair, ...] = ()
    ambiguous: tuple[Question, ...] = ()
    only_left: tuple[str, ...] = ()
    only_right: tuple[str, ...] = ()


def match(left: Sequence[Party], right: Sequence[Party], thresholds: Thresholds | None = None) -> Matching:
    """Pair two lists of firms, each with keys of its own. Deterministic, and the same whatever their order."""
    limits = thresholds or Thresholds()
    lefts, rights = _telling(sorted(left, key=_key), sorted(right, key=_key))
    pairs = []
    for row, column in sorted(blocks.candidates(lefts, rights)):
        found = judged(lefts[row], rights[column], limits)
        if found is not None:
            pairs.append(found)
    return _resolved(pairs, [one.key for one in lefts], [one.key for one in rights], limits.margin)


def _telling(lefts: Sequence[Party], rights: Sequence[Party]) -> tuple[list[Party], list[Party]]:
    """The firms without the domains and numbers that many of one side have: a provider's, or the user's own."""
    domains = _of_many(lefts, lambda one: one.domains) | _of_many(rights, lambda one: one.domains)
    numbers = _of_many(lefts, lambda one: one.numbers) | _of_many(rights, lambda one: one.numbers)

    def told(one: Party) -> Party:
        if one.domains & domains:
            one = replace(one, free_mail=frozenset(one.free_mail) | domains)
        if one.numbers & numbers:
            one = replace(one, phones=tuple(text for text in one.phones if phone_number(text) not in numbers))
        return one

    return list(map(told, lefts)), list(map(told, rights))


def _of_many(parties: Sequence[Party], values: Callable[[Party], frozenset[str]]) -> frozenset[str]:
    names: dict[str, set[str]] = defaultdict(set)
    for party in parties:
        for value in values(party):
            names[value].add(party.words.compact)
    return frozenset(value for value, held in names.items() if len(held) > _FEW)


@dataclass(slots=True)
class _Field:
    """The pairs still in play, by either side."""

    by_left: dict[str, list[Pair]] = field(default_factory=lambda: defaultdict(list))
    by_right: dict[str, list[Pair]] = field(default_factory=lambda: defaultdict(list))

    def add(self, pair: Pair) -> None:
        self.by_left[pair.left].append(pair)
        self.by_right[pair.right].append(pair)

    def rivals(self, pair: Pair, margin: int) -> list[Pair]:
        """Pairs of either firm that come near this one, or surpass it."""
        near = [*self.by_left[pair.left], *self.by_right[pair.right]]
        return [one for one in near if one is not pair and one.score > pair.score - margin]

    def take(self, pair: Pair) -> set[Pair]:
        """The pair is settled: neither firm is in play any more. Returns the pairs that went with it."""
        gone = {*self.by_left.pop(pair.left, []), *self.by_right.pop(pair.right, [])}
        for one in gone:
            for index, key in ((self.by_left, one.left), (self.by_right, one.right)):
                if key in index:
                    index[key] = [other for other in index[key] if other is not one]
        return gone


def _resolved(pairs: Sequence[Pair], lefts: Sequence[str], rights: Sequence[str], margin: int) -> Matching:
    """Settle what is beyond doubt, the strongest first; what that takes out of play may settle more."""
    play = _Field()
    for pair in pairs:
        play.add(pair)
    matched: dict[str, Pair] = {}
    owner: dict[str, str] = {}
    lost: dict[str, list[Pair]] = defaultdict(list)
    waiting = sorted((pair for pair in pairs if pair.sure), key=lambda one: (-one.score, one.left, one.right))
    moved = True
    while moved:
        moved, open_ = False, []
        for pair in waiting:
            if pair.left in matched or pair.right in owner:
                continue
            if play.rivals(pair, margin):
                open_.append(pair)
                continue
            matched[pair.left], owner[pair.right] = pair, pair.left
            for gone in play.take(pair):
                if gone.sure and gone.left != pair.left:
                    lost[gone.left].append(gone)
            moved = True
        waiting = open_
    questions = _questions(play, matched, owner, lost, margin)
    asked = {pair.right for question in questions for pair in question.candidates}
    open_left = {question.left for question in questions}
    return Matching(
        tuple(matched[key] for key in sorted(matched)),
        questions,
        tuple(key for key in lefts if key not in matched and key not in open_left),
        tuple(key for key in rights if key not in owner and key not in asked),
    )


def _questions(
    play: _Field, matched: Mapping[str, Pair], owner: Mapping[str, str], lost: Mapping[str, list[Pair]], margin: int
) -> tuple[Question, ...]:
    found = []
    for key in sorted({*play.by_left, *lost} - set(matched)):
        open_ = sorted(play.by_left.get(key, []), key=lambda one: (-one.score, one.right))
        taken = sorted(lost.get(key, []), key=lambda one: (-one.score, one.right))
        if not open_ and not taken:
            continue
        found.append(Question(key, tuple([*open_, *taken][:_MOST_CANDIDATES]), _why(play, open_, taken, owner, margin)))
    return tuple(found)


def _why(play: _Field, open_: Sequence[Pair], taken: Sequence[Pair], owner: Mapping[str, str], margin: int) -> str:
    if not open_:
        return f"{taken[0].right} is matched with {owner[taken[0].right]} already"
    best = open_[0]
    if not best.sure:
        return "what agrees is not enough, or something speaks against it"
    rivals = play.rivals(best, margin)
    claims = sorted({one.left for one in (best, *rivals)})
    if len(claims) > 1:
        return f"{best.right} is claimed by {', '.join(claims[:_MOST_CANDIDATES])}"
    return f"{len({one.right for one in rivals}) + 1} candidates come near one another"


_MOST_CANDIDATES = 5
#: So many firms of different names may share a domain or a number, as a group does.
_FEW = 5


def _key(party: Party) -> str:
    return party.key
