"""A replica that lies about its snapshot: a comparison with it ends, and in a clear error or within what was counted."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from aefsync.core.compare import select
from aefsync.core.digest import KEY_SIZE
from aefsync.core.entry import Entry
from aefsync.core.pairing import streams
from aefsync.core.tree import Answer, KeyRange, Question, answer
from aefsync.core.view import View
from aefsync.errors import ProtocolError
from aefsync.wire.checks import check_answer
from tests.support.snapshots import file, snapshot

KEY = bytes(KEY_SIZE)
HERE = snapshot(file(b"d%d/%03d" % (i % 7, i), b"%d" % i) for i in range(600))
THERE = snapshot(file(b"d%d/%03d" % (i % 7, i), b"%d" % (i + (i % 40 == 0))) for i in range(20, 640))
MOST_QUESTIONS = 400


class Lying:
    """What two replicas answer, of which the second lies in the way that a seed says, from some question on."""

    def __init__(self, seed: int) -> None:
        self.questions = 0
        self.claimed = THERE.count
        self._chance = random.Random(seed)
        if self._chance.random() < 0.5:
            self.claimed = self._chance.choice([0, 1, 33, 96, 97, 640, 1 << 20, 1 << 36])
        self._from = self._chance.randrange(4)
        self._how = self._chance.choice([self._recount, self._redigest, self._resplit, self._one, self._inflate])

    def ask(self, questions: Sequence[Question | None]) -> list[Answer | None]:
        self.questions += 1
        if self.questions > MOST_QUESTIONS:
            raise TimeoutError("it goes on for ever")
        found = []
        for number, question in enumerate(questions):
            said = question and answer((HERE, THERE)[number], question, KEY)
            if said and question and number == 1 and self.questions > self._from:
                said = self._how(question, said)
            if said and question:
                check_answer(question, said)
            found.append(said)
        return found

    def _recount(self, question: Question, said: Answer) -> Answer:
        counts = list(said.counts)
        for _ in range(2):
            at = self._chance.randrange(len(counts))
            counts[at] = self._chance.choice([0, counts[at] + 1, 1 << 40, counts[-1]])
        return said._replace(counts=tuple(counts))

    def _redigest(self, question: Question, said: Answer) -> Answer:
        return said._replace(digests=self._chance.randbytes(len(said.digests)))

    def _one(self, question: Question, said: Answer) -> Answer:
        """Ranges that cannot be split."""
        if not said.children:
            return self._redigest(question, said)
        number = len(question.ranges)
        digests = self._chance.randbytes(question.size * number)
        return Answer((1000,) * number, digests, (1,) * number)

    def _resplit(self, question: Question, said: Answer) -> Answer:
        """Many parts, all of them in front, or behind."""
        if question.parts < 2:
            return self._redigest(question, said)
        counts: list[int] = []
        bounds: list[bytes] = []
        for low, _ in question.ranges:
            whole = self._chance.choice([32 * question.parts, self.claimed, 1 << 36])
            counts += [whole // question.parts] * question.parts
            bounds += [low + b"\0" * (i + 1) for i in range(question.parts - 1)]
        digests = self._chance.randbytes(question.size * len(counts))
        return Answer(tuple(counts), digests, (question.parts,) * len(question.ranges), tuple(bounds))

    def _inflate(self, question: Question, said: Answer) -> Answer:
        if question.parts == 1:
            return self._redigest(question, said)
        return said._replace(counts=tuple(2 * count for count in said.counts))


@pytest.mark.parametrize("exact", [False, True])
def test_a_comparison_with_a_liar_ends(exact: bool) -> None:
    ends = [0, 0]
    for seed in range(40):
        lying = Lying(seed)
        counts = (HERE.count, lying.claimed)
        try:
            found = select(lying.ask, View.FULL, counts, exact=exact)
        except ProtocolError:
            ends[0] += 1
            continue
        ends[1] += 1
        for number, count in enumerate(counts):
            spans = [span for each in found for span in each.spans[number]]
            assert all(0 <= low < high <= count for low, high in spans), seed
            assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans)), seed
    assert min(ends) > 10


def test_a_range_that_is_never_split_is_no_answer() -> None:
    asked = Question(View.FULL, (KeyRange(b"", b"\xff"),), 32)
    with pytest.raises(ProtocolError, match="number of parts"):
        check_answer(asked, Answer((1000,), bytes(8), (1,)))
    with pytest.raises(ProtocolError, match="unequal"):
        check_answer(asked, Answer((2000,) + (0,) * 31, bytes(8 * 32), (32,), tuple(b"%02d" % i for i in range(31))))


def test_entries_that_come_again_in_a_later_batch_are_refused() -> None:
    entries = [file(b"%04d" % i) for i in range(2048)]

    def fetch(replica: int, spans: Sequence[tuple[int, int]]) -> list[Entry]:
        return entries

    honest = select(lambda asked: [None, None], View.FULL, (0, 4096))
    with pytest.raises(ProtocolError, match="replica B gives its entries out of order"):
        list(streams(fetch, honest)[1])
