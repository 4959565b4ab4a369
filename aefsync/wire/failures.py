"""Why a host cannot be reached, in the same words whatever speaks SSH."""

from __future__ import annotations

import enum

from aefsync.errors import UnreachableError


class Step(enum.StrEnum):
    """What there is to pass on the way to a login, in this order."""

    NAME = "name"
    PORT = "port"
    HOST_KEY = "host key"
    LOGIN = "login"


class ObstacleError(UnreachableError):
    """A host that cannot be reached; `step` says how far it got."""

    def __init__(self, message: str, step: Step, *, hint: str | None = None, transient: bool = False) -> None:
        super().__init__(message, hint=hint, transient=transient)
        self.step = step


def unresolved(host: str, *, transient: bool = False) -> ObstacleError:
    now = " now" if transient else ""
    return ObstacleError(f"{host} does not resolve to an address{now}", Step.NAME, transient=transient)


def not_listening() -> ObstacleError:
    return ObstacleError("connection refused: no SSH server listens there", Step.PORT, transient=True)


def unknown_host_key() -> ObstacleError:
    hint = "compare it and log in once with ssh, or take it as it is with --accept-new-host-key"
    return ObstacleError("its host key is not known", Step.HOST_KEY, hint=hint)


def changed_host_key(host: str) -> ObstacleError:
    hint = f"somebody may be in between, or it was set up anew: if you are sure, ssh-keygen -R {host}"
    return ObstacleError("its host key is not the one that is known", Step.HOST_KEY, hint=hint)


def login_refused(ways: str) -> ObstacleError:
    return ObstacleError(f"login refused ({ways})", Step.LOGIN, hint="--identity FILE names another key")


def passing(reason: str) -> UnreachableError:
    """Whatever may be otherwise in a moment."""
    return UnreachableError(reason[:1].lower() + reason[1:], transient=True)
