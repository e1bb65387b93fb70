"""Which pairs are worth comparing: firms that share a number, a domain, or a good part of their names.

Comparing everybody with everybody would take 2.5 billion comparisons for fifty thousand on each side. Firms are put
into blocks by what they share; within a block the names are compared in bulk, and only pairs that are alike at all
are handed on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from rapidfuzz import fuzz, process

from sagezoho_pipelines.domain.matching.parties import Party

#: Cells of one comparison matrix, one byte each.
_CELLS = 4_000_000
#: A block with more pairs than this is not compared whole, but each firm with its neighbours in the alphabet.
_LARGEST = 30_000_000
_NEIGHBOURS = 40
#: Up to so many pairs, those who share a number or a domain are compared whatever their names.
_SHARED = 400
_SHARED_CUTOFF, _NEAR_CUTOFF, _FAR_CUTOFF = 55, 70, 80
#: Of the names that are alike a firm keeps so many, the most alike first.
_MOST = 30
#: From so many pairs on, all cores compare.
_PARALLEL = 200_000

Index = Mapping[str, Sequence[int]]


def candidates(left: Sequence[Party], right: Sequence[Party]) -> set[tuple[int, int]]:
    """Pairs of places in both sequences that may be the same firm; the same pairs whichever side comes first."""
    found: set[tuple[int, int]] = set()
    for values in (_ids, _taxes, _domains, _phones):
        for rows, columns in _blocks(_index(left, values), _index(right, values)):
            found.update(_sharing(left, right, rows, columns))
    rarity = Counter(word for party in (*left, *right) for word in set(party.words.words))
    alike: dict[tuple[int, int], int] = {}
    for keys, cutoff in ((_near_keys, _NEAR_CUTOFF), (_far_keys, _FAR_CUTOFF)):
        lefts, rights = _keyed(left, keys, rarity), _keyed(right, keys, rarity)
        for rows, columns in _blocks(lefts, rights):
            for row, column, score in _compared(left, right, rows, columns, cutoff):
                alike[row, column] = score
    found.update(_most_alike(alike))
    return found


def _ids(party: Party) -> Iterable[str]:
    return party.ids | {party.key.casefold()}


def _taxes(party: Party) -> Iterable[str]:
    return party.taxes


def _domains(party: Party) -> Iterable[str]:
    return party.domains


def _phones(party: Party) -> Iterable[str]:
    return party.numbers


def _near_keys(party: Party, rarity: Mapping[str, int]) -> set[str]:
    """The town, with the beginning of each word that tells the firm apart."""
    if not party.town:
        return set()
    return {f"{party.town[:4]}/{word[:3]}" for word in _telling(party, rarity)}


def _far_keys(party: Party, rarity: Mapping[str, int]) -> set[str]:
    """Wherever it is: two words of the name, or the letters it begins and ends with."""
    words = _telling(party, rarity)
    keys = {"+".join(sorted((one[:4], other[:4]))) for one, other in combinations(words, 2)}
    compact = party.words.compact
    return keys | ({f"^{compact[:7]}", f"{compact[-7:]}$"} if compact else set())


def _telling(party: Party, rarity: Mapping[str, int]) -> list[str]:
    """Up to three words of the name, the rarest first."""
    return sorted(set(party.words.words), key=lambda word: (rarity[word], word))[:3]


def _index(parties: Sequence[Party], values: Callable[[Party], Iterable[str]]) -> Index:
    index: dict[str, list[int]] = defaultdict(list)
    for place, party in enumerate(parties):
        for value in values(party):
            index[value].append(place)
    return index


def _keyed(
    parties: Sequence[Party], keys: Callable[[Party, Mapping[str, int]], Iterable[str]], rarity: Mapping[str, int]
) -> Index:
    return _index(parties, lambda party: keys(party, rarity))


def _blocks(left: Index, right: Index) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    for key in sorted(left.keys() & right.keys()):
        yield left[key], right[key]


def _sharing(
    left: Sequence[Party], right: Sequence[Party], rows: Sequence[int], columns: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Pairs that share a number or a domain; where very many do, their names must be alike as well."""
    if len(rows) * len(columns) <= _SHARED:
        yield from ((row, column) for row in rows for column in columns)
        return
    for row, column, _ in _compared(left, right, rows, columns, _SHARED_CUTOFF):
        yield row, column


def _compared(
    left: Sequence[Party], right: Sequence[Party], rows: Sequence[int], columns: Sequence[int], cutoff: int
) -> Iterator[tuple[int, int, int]]:
    """The pairs of a block whose names are alike, in pieces that fit into little memory."""
    if len(rows) * len(columns) > _LARGEST:
        yield from _neighbours(left, right, rows, columns, cutoff)
        return
    names = [right[column].words.ordered for column in columns]
    step = max(1, _CELLS // len(columns))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        workers = -1 if len(part) * len(columns) >= _PARALLEL else 1
        scores = process.cdist(
            [left[row].words.ordered for row in part],
            names,
            scorer=fuzz.ratio,
            score_cutoff=cutoff,
            dtype=np.uint8,
            workers=workers,
        )
        for at, other in zip(*np.nonzero(scores), strict=True):
            yield part[at], columns[other], int(scores[at, other])


def _neighbours(
    left: Sequence[Party], right: Sequence[Party], rows: Sequence[int], columns: Sequence[int], cutoff: int
) -> Iterator[tuple[int, int, int]]:
    """Each firm of a huge block with those next to it in the alphabet."""
    order = sorted(
        [(left[row].words.compact, 0, row) for row in rows]
        + [(right[column].words.compact, 1, column) for column in columns]
    )
    for at, (_, side, place) in enumerate(order):
        for _, other_side, other in order[at + 1 : at + 1 + _NEIGHBOURS]:
            if side != other_side:
                row, column = (place, other) if side == 0 else (other, place)
                score = round(fuzz.ratio(left[row].words.ordered, right[column].words.ordered))
                if score >= cutoff:
                    yield row, column, score


def _most_alike(alike: Mapping[tuple[int, int], int]) -> set[tuple[int, int]]:
    """Of each firm's pairs the most alike; a pair that either of the two keeps is kept."""
    kept: set[tuple[int, int]] = set()
    for side in (0, 1):
        mine: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for pair in alike:
            mine[pair[side]].append(pair)
        for pairs in mine.values():
            pairs.sort(key=lambda pair: (-alike[pair], pair[1 - side]))
            cut = alike[pairs[_MOST - 1]] if len(pairs) >= _MOST else 0
            kept.update(pair for pair in pairs if alike[pair] >= cut)
    return kept
