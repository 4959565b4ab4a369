"""What a root without an agent does not do: remember versions, and be scrubbed."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.compare import Span
from aefsync.core.members import Memory
from aefsync.core.rot import Scrub, Scrubbed
from aefsync.core.version import Dot, Grave
from aefsync.errors import AefsyncError


class Forgetting:
    """A replica without a sidecar; whoever asks it for more is told so."""

    def graves(self, spans: Sequence[Span]) -> Sequence[Grave]:
        return []

    def mint(self) -> Dot:
        raise AefsyncError("an agentless replica remembers no versions")

    def scrub(self, request: Scrub) -> Scrubbed:
        raise AefsyncError("an agentless replica cannot be scrubbed")

    def remember(self, memory: Memory) -> None:
        raise AefsyncError("an agentless replica remembers no versions")
