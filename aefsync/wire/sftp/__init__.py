"""SFTP, version 3 (draft-ietf-secsh-filexfer-02), with the extensions of OpenSSH (its file PROTOCOL), over any stream.

`packets` says what stands in a packet, without any I/O; `operations` turns what `core.files` asks for into packets;
`client` has many of them on their way at once.

The `SFTPClient` of paramiko is not used: it takes every name for UTF-8, and waits for each answer before it sends the
next question, but for the content of one file.
"""
