"""How messages are written: a form for each call and reply, typed and bounded MessagePack; the one door to msgspec.

A form is an array that begins with its method's name.  What is bounded here (numbers to 64 bits, columns to `MANY`
rows, digests to their size) is refused before anything is allocated for it; no form nests by more than a few levels,
and none has a field of open type.  Paths travel front-coded, apart from the rows that they belong to, and become
`RelPath`s here: one that leads out of the root never gets further.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, Union, get_args

import msgspec

from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply
from aefsync.wire.messages import calls, replies
from aefsync.wire.messages.replies import FailedForm, ProgressForm
from aefsync.wire.messages.rows import Form


class MessageError(ValueError):
    """Bytes that are no message."""


def _by_method(forms: Any) -> dict[Method, type[Form]]:
    return {Method(str(form.__struct_config__.tag)): form for form in get_args(forms)}


_CALLS = _by_method(calls.CallForm)
_REPLIES = _by_method(replies.ReplyForm)
_encode = msgspec.msgpack.Encoder(enc_hook=bytes).encode  # the hook is asked for what derives from bytes
_MOST_SAID = 200
_NO_BULK, _BULK = b"\xc4\0", b"\xc6"
"""MessagePack's empty byte string, and the mark of one whose length takes four bytes."""
_MOST_PARTS = 64
"""Parts that it is worth to leave apart."""
_making = threading.Lock()
"""msgspec crashes where two threads make decoders of one struct at the same time."""


@functools.cache
def _call_decoder() -> msgspec.msgpack.Decoder[Any]:
    """Made when it is needed, as the other: each takes milliseconds, and a side needs only one."""
    return msgspec.msgpack.Decoder(calls.CallForm)


@functools.cache
def _answer_decoder() -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(Union[replies.ReplyForm, ProgressForm, FailedForm])  # noqa: UP007


def encode(message: Message) -> bytes:
    """The bytes of a message; raises `ValueError` where its values are not what the port promises."""
    return b"".join(encode_in_parts(message))


def encode_in_parts(message: Message) -> list[bytes | memoryview]:
    """The same, what is bulky being the very bytes that the message was given."""
    match message:
        case Call(method, arguments):
            return _encoded(_CALLS[method], arguments)
        case Reply(method, value):
            return _encoded(_REPLIES[method], (value,))
        case Progress():
            return _encoded(ProgressForm, message)
        case Failed():
            return _encoded(FailedForm, message)


def decode_call(payload: bytes | memoryview) -> Call:
    """The call that a client sent; raises `MessageError`."""
    form, values = _decode(_call_decoder, payload)
    return Call(_method(form), values)


def decode_answer(payload: bytes | memoryview) -> Reply | Progress | Failed:
    """What a server sent; raises `MessageError`."""
    form, values = _decode(_answer_decoder, payload)
    if isinstance(form, ProgressForm):
        return Progress(*values)
    if isinstance(form, FailedForm):
        return Failed(*values)
    return Reply(_method(form), values[0])


def _encoded(kind: type[Form], values: tuple[Any, ...]) -> list[bytes | memoryview]:
    """The form without what is last in it and as by default, which the decoder fills in: what a session does not ask
    for costs it nothing."""
    form, bulk = kind.of(*values), kind.bulk(*values)
    fields, defaults = list(msgspec.structs.astuple(form)), list(form.__struct_defaults__)
    while defaults and fields[-1] == defaults[-1]:
        del fields[-1], defaults[-1]
    head = _encode((form.__struct_config__.tag, *fields))
    size = sum(map(len, bulk))
    if not size:
        return [head]
    assert head.endswith(_NO_BULK)
    whole = [b"".join(bulk)] if len(bulk) > _MOST_PARTS else bulk
    return [head[: -len(_NO_BULK)] + _BULK + size.to_bytes(4, "big"), *whole]


def _method(form: Form) -> Method:
    return Method(str(form.__struct_config__.tag))


def _decode(
    made: Callable[[], msgspec.msgpack.Decoder[Any]], payload: bytes | memoryview
) -> tuple[Form, tuple[Any, ...]]:
    with _making:
        decoder = made()
    try:
        form = decoder.decode(payload)
        return form, form.values()
    except (ValueError, RecursionError, OverflowError) as error:
        # It may quote what the peer said, which may be any text of any length.
        raise MessageError(" ".join(str(error).split())[:_MOST_SAID]) from error
