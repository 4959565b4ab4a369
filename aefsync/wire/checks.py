"""Whether a reply fits what was asked: everything here raises `ProtocolError` where an honest peer would not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from aefsync.core.action import Staged
from aefsync.core.compare import BATCH, Span
from aefsync.core.digest import NODE_DIGEST, ROOT_DIGEST
from aefsync.core.entry import Entry
from aefsync.core.growth import Gathered, Growth
from aefsync.core.past import TRASH_PAGE, TakenBack, TrashItem
from aefsync.core.ports import Piece, Scanned
from aefsync.core.recipe import Recipe, Run
from aefsync.core.rot import Scrub, Scrubbed
from aefsync.core.tree import LEAF, LEAVES, Answer, KeyRange, Question
from aefsync.core.version import Tombstone
from aefsync.errors import ProtocolError
from aefsync.wire.messages.rows import MOST_ENTRIES


def _insist(fits: bool, what: str) -> None:  # noqa: FBT001  reads as a sentence
    if not fits:
        raise ProtocolError(f"the peer's answer does not fit the question: {what}")


def check_scanned(scanned: Scanned) -> None:
    _insist(len(scanned.root) in (0, ROOT_DIGEST), "size of the root digest")
    _insist(max(scanned.entries, scanned.tombstones) <= MOST_ENTRIES, "more entries than there can be")
    _insist(scanned.unread_files <= scanned.entries, "more files than entries")
    _insist(len(scanned.history) in (0, ROOT_DIGEST), "size of the digest of the history")


def check_answer(question: Question, answer: Answer) -> None:
    if question.parts > LEAVES:
        _check_split(question, answer)
    else:
        _insist(len(answer.counts) == len(question.ranges), "number of ranges")
        _insist(not answer.children and not answer.bounds, "ranges split unasked")
    if question.parts == LEAVES:
        _insist(len(answer.digests) == NODE_DIGEST * sum(answer.counts), "number of short digests")
    else:
        _insist(len(answer.digests) == question.size * len(answer.counts), "number of digests")


def _check_split(question: Question, answer: Answer) -> None:
    _insist(len(answer.children) == len(question.ranges), "number of ranges")
    _insist(all(1 <= number <= question.parts for number in answer.children), "number of parts")
    _insist(sum(answer.children) == len(answer.counts), "number of counts")
    _insist(sum(answer.children) - len(answer.children) == len(answer.bounds), "number of bounds")
    bounds, counts = iter(answer.bounds), iter(answer.counts)
    for keys, number in zip(question.ranges, answer.children, strict=True):
        _check_bounds(keys, list(itertools.islice(bounds, number - 1)))
        parts = list(itertools.islice(counts, number))
        # Otherwise a question might be asked for ever.
        _insist(number == max(1, min(question.parts, -(-sum(parts) // LEAF))), "number of parts")
        _insist(max(parts) - min(parts) <= 1, "parts of unequal size")


def _check_bounds(keys: KeyRange, bounds: list[bytes]) -> None:
    cuts = itertools.pairwise([keys.low, *bounds, keys.high])
    _insist(not bounds or all(low < high for low, high in cuts), "order of bounds")


def check_entries(spans: Sequence[Span], entries: Sequence[Entry]) -> None:
    _insist(0 < len(entries) <= sum(stop - start for start, stop in spans), "number of entries")
    _check_order(entries)


def check_tombstones(spans: Sequence[Span], tombstones: Sequence[Tombstone]) -> None:
    _insist(len(tombstones) == sum(stop - start for start, stop in spans), "number of tombstones")
    _check_order(tombstones)


def _check_order(entries: Sequence[Entry | Tombstone]) -> None:
    keys = [entry.path.key for entry in entries]
    _insist(all(low < high for low, high in itertools.pairwise(keys)), "order of entries")


def check_found(part: bytes, entries: Sequence[Entry]) -> None:
    _insist(len(entries) <= BATCH, "number of entries")
    _insist(all(part in entry.path.name for entry in entries), "a name without what was looked for")


def check_growth(spans: Sequence[Span], growth: Growth) -> None:
    _insist(1 <= growth.length <= sum(stop - start for start, stop in spans), "number of entries")


def check_gathered(growth: Growth, gathered: Gathered) -> None:
    _insist(len(gathered.contents) == len(growth.contents), "number of entries")
    _insist(len(gathered.data) == sum(growth.with_contents(gathered.contents).sizes_read()), "bytes of the files")


def check_grown(growth: Growth, contents: bytes) -> None:
    _insist(len(contents) == len(growth.contents), "number of entries")


def check_planted(count: int, flags: bytes) -> None:
    _insist(len(flags) == count and not flags.strip(b"\0\1"), "number of entries")


def check_pieces(asked: Sequence[Piece], given: Sequence[Piece]) -> None:
    _insist(len(given) == len(asked), "number of pieces")
    for want, piece in zip(asked, given, strict=True):
        _insist((piece.path, piece.offset) == (want.path, want.offset), "place of a piece")
        _insist(len(piece.data) <= want.length, "length of a piece")


def check_recipes(runs: Sequence[Run], recipes: Sequence[Recipe]) -> None:
    _insist(len(recipes) == len(runs), "number of recipes")
    for run, recipe in zip(runs, recipes, strict=True):
        _insist((recipe.path, recipe.offset) == run[:2], "place of a recipe")
        _insist(sum(recipe.lengths) in (0, run.length), "length of a recipe")


def check_lacking(recipes: Sequence[Recipe], lacking: Sequence[Sequence[Span]]) -> None:
    _insist(len(lacking) == len(recipes), "number of recipes")
    for recipe, spans in zip(recipes, lacking, strict=True):
        _insist(not spans or spans[-1][1] <= len(recipe.lengths), "chunks that were not named")


def check_staged(number: int, staged: Staged) -> None:
    _insist(len(staged.contents) == number, "number of files")
    _insist(all(len(content) in (0, 32) for content in staged.contents), "size of a content digest")


def check_told(number: int, told: Sequence[bool]) -> None:
    _insist(len(told) == number, "number of renames")


def check_done(number: int, done: Sequence[int | None]) -> None:
    _insist(len(done) == number, "number of actions")


def check_trash(items: Sequence[TrashItem]) -> None:
    _insist(len(items) <= TRASH_PAGE, "number of things in the trash")


def check_scrubbed(request: Scrub, scrubbed: Scrubbed) -> None:
    _insist(scrubbed.files <= request.files, "number of files")
    _insist(len(scrubbed.damaged) <= scrubbed.files, "more damage than files")
    _insist(len(scrubbed.fresh) <= (scrubbed.files if request.tells_fresh else 0), "more fresh files than were read")


def check_taken_back(taken: TakenBack) -> None:
    _insist(len(taken.done) == len(taken.changes), "number of changes")
