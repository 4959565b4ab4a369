"""Why a host cannot be reached, in the same words whatever speaks SSH."""

from __future__ import annotations

from aefsync.errors import UnreachableError


def unresolved(host: str, *, transient: bool = False) -> UnreachableError:
    now = " now" if transient else ""
    return UnreachableError(f"{host} does not resolve to an address{now}", transient=transient)


def not_listening() -> UnreachableError:
    return UnreachableError("connection refused: no SSH server listens there", transient=True)


def unknown_host_key() -> UnreachableError:
    hint = "compare it and log in once with ssh, or take it as it is with --accept-new-host-key"
    return UnreachableError("its host key is not known", hint=hint)


def changed_host_key(host: str) -> UnreachableError:
    hint = f"somebody may be in between, or it was set up anew: if you are sure, ssh-keygen -R {host}"
    return UnreachableError("its host key is not the one that is known", hint=hint)


def login_refused(ways: str) -> UnreachableError:
    return UnreachableError(f"login refused ({ways})", hint="--identity FILE names another key")


def passing(reason: str) -> UnreachableError:
    """Whatever may be otherwise in a moment."""
    return UnreachableError(reason[:1].lower() + reason[1:], transient=True)
