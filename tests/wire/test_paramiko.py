"""paramiko against a real server: log in, refuse, renew keys, move much, end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from aefsync.core.ports import Access, Missing, Open, Scan
from aefsync.errors import AefsyncError, IncompatibleError, UnreachableError, UsageError
from aefsync.wire import paramiko as module
from aefsync.wire.launching import agent_command
from aefsync.wire.login import Link, Login
from aefsync.wire.paramiko import ParamikoStream, access
from aefsync.wire.paramiko.access import settings_of
from aefsync.wire.remote import RemoteReplica
from tests.e2e.program import wait_until
from tests.support.sshd import Sshd, make_key
from tests.support.trees import tree

BOX = Login("box")
LINK = Link(connect_timeout_s=60, timeout_s=60, retries=0)

Opener = Callable[..., ParamikoStream]


@pytest.fixture
def server(sshd: Sshd, home: Path) -> Sshd:
    """The server, known to this home's configuration."""
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text((sshd.folder / "ssh_config").read_text())
    sshd.far(home)
    return sshd


@pytest.fixture
def opened(server: Sshd) -> Iterator[Opener]:
    streams: list[ParamikoStream] = []

    def start(login: Login = BOX, link: Link = LINK, ask: Callable[[str], str] | None = None) -> ParamikoStream:
        streams.append(ParamikoStream(login, link, agent_command(""), heard.append, ask))
        return streams[-1]

    heard: list[str] = []
    yield start
    for stream in streams:
        stream.close()
    assert not [thread for thread in threading.enumerate() if isinstance(thread, paramiko.Transport)]


def cat(server: Sshd, opened: Opener) -> ParamikoStream:
    """A stream to a far side that says everything back."""
    server.far(Path("/"), forced="exec cat")
    return opened()


def echoed(stream: ParamikoStream, size: int) -> int:
    """Send so many bytes while they come back; how many did, all of them as they were."""
    block = bytes(range(256)) * 4096
    writer = threading.Thread(target=lambda: [stream.write(block) for _ in range(size // len(block))])
    writer.start()
    received, good = 0, True
    while received < size:
        data = stream.read(1 << 20)
        offset = received % 256
        good = good and data == (block + block)[offset : offset + len(data)]
        received += len(data)
    writer.join()
    return received if good else -1


def test_an_agent_is_reached_and_ends_with_the_stream(server: Sshd, opened: Opener, tmp_path: Path) -> None:
    tree(tmp_path / "B", {"f": "x"})
    replica = RemoteReplica(opened(), label="B", compress=True)
    replica.hello(Open(bytes(tmp_path / "B"), "run", bytes(32), Access.READ, Missing.REFUSE, b""))
    assert replica.scan(Scan()).entries == 1
    replica.close()


def test_keys_are_renewed_again_and_again(server: Sshd, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paramiko.Packetizer, "REKEY_BYTES", 1 << 20)
    stream = cat(server, opened)
    stream.write(b"")
    packetizer = stream._channel.get_transport().packetizer
    size = 12 << 20
    assert echoed(stream, size) == size
    # Had the keys not been renewed all along, all that was sent would have been sent under the first ones.
    assert packetizer._Packetizer__sent_bytes < size // 2


@pytest.mark.slow
def test_more_than_a_gibibyte_passes_in_each_direction(server: Sshd, opened: Opener) -> None:
    size = 1300 << 20
    stream = cat(server, opened)
    assert echoed(stream, size) == size
    assert (stream.sent_bytes, stream.received_bytes) == (size, size)


def test_only_strong_algorithms_are_offered(server: Sshd, opened: Opener) -> None:
    stream = cat(server, opened)
    stream.write(b"x")
    transport = stream._channel.get_transport()
    assert transport.remote_cipher == "aes128-gcm@openssh.com"
    offered = transport.get_security_options()
    words = " ".join([*offered.ciphers, *offered.digests, *offered.kex, *offered.key_types])
    assert not [weak for weak in ("cbc", "3des", "md5", "sha1", "ssh-dss") if weak in words]


def refused(stream: ParamikoStream) -> AefsyncError:
    with pytest.raises(AefsyncError) as caught:
        stream.write(b"x")
    return caught.value


def test_hosts_that_cannot_be_reached(server: Sshd, opened: Opener, home: Path) -> None:
    config = home / ".ssh" / "config"
    good = config.read_text()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    assert "does not resolve" in refused(opened(Login("nowhere.invalid"))).message
    assert "connection refused" in refused(opened(Login("127.0.0.1", None, closed))).message
    assert "login refused" in refused(opened(Login("stranger"))).message
    config.write_text(good.replace("HostKeyAlias box", "HostKeyAlias other"))
    unknown = refused(opened())
    assert (unknown.message, unknown.exit_code) == ("its host key is not known", 7)
    other = (server.folder / "other_key.pub").read_text()
    (home / "known").write_text(f"other {other}")
    config.write_text(
        good.replace("HostKeyAlias box", "HostKeyAlias other").replace(str(server.known_hosts), "~/known")
    )
    assert refused(opened()).message == "its host key is not the one that is known"


def test_a_new_host_key_is_taken_and_kept_where_that_is_asked_for(server: Sshd, opened: Opener, home: Path) -> None:
    config = home / ".ssh" / "config"
    config.write_text(config.read_text().replace(str(server.known_hosts), "~/.ssh/new/known"))
    server.far(home, forced="exec cat")
    link = LINK._replace(accept_new_host_key=True)
    opened(link=link).write(b"x")
    assert (home / ".ssh" / "new" / "known").read_text().startswith("box ssh-ed25519 ")
    opened().write(b"x")


def test_a_key_with_a_passphrase_is_asked_for(server: Sshd, opened: Opener, tmp_path: Path) -> None:
    make_key(tmp_path / "key", "secret")
    with (server.folder / "authorized_keys").open("a") as keys:
        keys.write((tmp_path / "key.pub").read_text())
    server.far(tmp_path, forced="exec cat")
    link = LINK._replace(identity=str(tmp_path / "key"))
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "secret"

    opened(link=link, ask=answer).write(b"x")
    assert len(asked) == 1
    with pytest.raises(UnreachableError, match="login refused"):
        opened(link=link).write(b"x")
    with pytest.raises(UnreachableError, match="login refused"):
        opened(link=link, ask=lambda _: "wrong").write(b"x")


def test_a_login_without_an_agent(server: Sshd, opened: Opener, home: Path) -> None:
    server.far(home, path="/usr/bin:/bin")
    replica = RemoteReplica(opened(), label="B")
    with pytest.raises(IncompatibleError, match="^B: there is no aefsync on the far side$"):
        replica.scan(Scan())
    replica.close()


def test_a_login_without_an_agent_that_is_over_before_anything_is_said(
    server: Sshd, opened: Opener, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.far(home, path="/usr/bin:/bin")
    replica, told = RemoteReplica(opened(), label="B"), threading.Event()
    send, receive = paramiko.Channel.send, paramiko.Channel.recv

    def send_late(channel: paramiko.Channel, data: bytes) -> int:
        wait_until(lambda: channel.closed, "the far side to close")
        return send(channel, data)

    def receive_later(channel: paramiko.Channel, size: int) -> bytes:
        told.wait()
        return receive(channel, size)

    monkeypatch.setattr(paramiko.Channel, "send", send_late)
    monkeypatch.setattr(paramiko.Channel, "recv", receive_later)
    try:
        with pytest.raises(IncompatibleError, match="^B: there is no aefsync on the far side$"):
            replica.scan(Scan())
    finally:
        told.set()
    replica.close()


def test_silence_has_an_end(server: Sshd, opened: Opener) -> None:
    server.far(Path("/"), forced="exec cat >/dev/null")
    stream = opened(link=LINK._replace(timeout_s=0.05))
    with pytest.raises(TimeoutError, match="no byte for"):
        stream.read(1)


def test_who_does_not_wait_for_an_answer_any_more_does_not_wait_for_the_far_side_either(
    server: Sshd, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_END_S", 60)
    server.far(Path("/"), forced="echo; exec sleep 20")
    stream = opened()
    assert stream.read(1) == b"\n"
    reader = threading.Thread(target=stream.read, args=(1,))
    reader.start()
    wait_until(lambda: stream._is_awaited, "the reader to wait")
    assert stream._opened is not None
    stream.close()
    assert stream._opened.exit_status < 0
    reader.join()


def test_closing_does_not_wait_for_a_host_that_does_not_answer(opened: Opener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stream = opened(Login("127.0.0.1", None, silent.getsockname()[1]))
        errors: list[Exception] = []
        begun = threading.Thread(target=lambda: errors.append(failing(stream)))
        begun.start()
        met, _ = silent.accept()
        with met:
            stream.close()
            assert begun.is_alive()
        begun.join()
    assert isinstance(errors[0], UnreachableError)


def failing(stream: ParamikoStream) -> Exception:
    with pytest.raises((AefsyncError, OSError)) as caught:
        stream.write(b"hello")
    return caught.value


def test_who_comes_to_know_of_the_end_only_when_connected_hangs_up(
    server: Sshd, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = cat(server, opened)
    real, are_met, is_over = stream._open, threading.Event(), threading.Event()

    def slowly() -> paramiko.Channel:
        channel = real()
        are_met.set()
        is_over.wait()
        return channel

    monkeypatch.setattr(stream, "_open", slowly)
    errors: list[Exception] = []
    begun = threading.Thread(target=lambda: errors.append(failing(stream)))
    begun.start()
    are_met.wait()
    stream.close()
    is_over.set()
    begun.join()
    assert isinstance(errors[0], ConnectionError)
    assert stream._client is not None
    assert stream._client.get_transport() is None


any_end = pytest.mark.parametrize(
    "ended", [EOFError(), paramiko.SSHException("the transport has ended"), OSError("Socket is closed")]
)


@any_end
def test_a_transport_that_ends_just_as_the_stream_is_closed_is_no_trouble(
    server: Sshd, opened: Opener, monkeypatch: pytest.MonkeyPatch, ended: Exception
) -> None:
    stream = cat(server, opened)
    stream.write(b"before")

    def shut(channel: paramiko.Channel) -> None:
        raise ended

    monkeypatch.setattr(paramiko.Channel, "shutdown_write", shut)
    stream.close()
    assert stream._client is not None
    assert stream._client.get_transport() is None


@any_end
def test_a_transport_that_ends_while_something_is_sent_is_a_lost_connection(
    server: Sshd, opened: Opener, monkeypatch: pytest.MonkeyPatch, ended: Exception
) -> None:
    stream = cat(server, opened)
    stream.write(b"before")

    def send(channel: paramiko.Channel, data: bytes) -> int:
        raise ended

    monkeypatch.setattr(paramiko.Channel, "send", send)
    with pytest.raises(BrokenPipeError, match="the other side has closed"):
        stream.write(b"after")


def test_what_only_ssh_can_do_is_refused(server: Sshd, home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host jump\n  ProxyJump other\nHost plain\n  Port 99\n  User me\n")
    with pytest.raises(UsageError, match="needs the ssh program"):
        settings_of(Login("jump"), LINK)
    plain = settings_of(Login("plain"), LINK)
    assert (plain.host, plain.port, plain.user) == ("plain", 99, "me")
    assert settings_of(Login("plain", "you", 5), LINK._replace(port=6)).port == 5
    assert access.WINDOW <= 32 << 20
