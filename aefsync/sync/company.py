"""Company: the replicas of a repair that are there, where others cannot be reached as it begins.

The others are done without them, just as by a run over those alone: what the absent ones miss is brought to them when
they are there again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UnreachableError
from aefsync.sync.events import Notice
from aefsync.sync.location import parse
from aefsync.sync.preferring import waiting
from aefsync.sync.present import AbsentError, Present, chosen
from aefsync.sync.request import RepairRequest


class Company(NamedTuple):
    """The replicas of a repair that are there; `request` is of these."""

    request: RepairRequest
    there: Present

    @property
    def absent(self) -> Mapping[int, UnreachableError]:
        return self.there.absent

    def without(self, error: AbsentError) -> Company:
        """Those that are left, of which there are two at least; raises the error where nothing can be done without the
        others: they are the truth of a mirror, or of this machine."""
        locations = self.request.common.locations
        left = [own for own in range(len(locations)) if own not in error.absent]
        is_here = any(parse(locations[own]).login is None for own in error.absent)
        if len(left) < 2 or is_here or (self.request.mirror and 0 in error.absent):
            raise error
        return Company(_of(self.request, left), self.there.without(error))

    def notices(self) -> list[Notice]:
        """What there is to say of those who are absent, at the end."""
        return self.there.notices() if self.there.numbers else self.there.notices("nothing is done without it")


def company(request: RepairRequest) -> Company:
    """All replicas of a run."""
    return Company(request, Present(tuple(range(len(request.common.locations)))))


def _of(request: RepairRequest, left: Sequence[int]) -> RepairRequest:
    """The same for some of its replicas."""
    common = chosen(request.common, left)
    preferred = tuple((called, left.index(own)) for called, own in request.preferred if own in left)
    gone = {called for called, own in request.preferred if own not in left}
    policies = request.policies
    return request._replace(
        common=common, preferred=preferred, policies=None if policies is None else waiting(policies, gone)
    )
