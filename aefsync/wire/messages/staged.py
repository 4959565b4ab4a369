"""The form of what staging came to, whatever it was asked to complete."""

from __future__ import annotations

from typing import Self

from aefsync.core.action import Staged
from aefsync.wire.messages.rows import ByteStrings, Count, Form, Problems, pack_problems, unpack_problems


class StagedForm(Form):
    contents: ByteStrings
    problems: Problems
    literal_bytes: Count
    reused_bytes: Count
    own_problems: Problems

    @classmethod
    def of(cls, *values: Staged) -> Self:
        contents, problems, literal, reused, own = values[0]
        return cls(contents, pack_problems(problems), literal, reused, pack_problems(own))

    def values(self) -> tuple[Staged]:
        counts = (self.literal_bytes, self.reused_bytes)
        return (Staged(self.contents, unpack_problems(self.problems), *counts, unpack_problems(self.own_problems)),)


class ReuseReply(StagedForm, tag="reuse"): ...


class StageReply(StagedForm, tag="stage"): ...
