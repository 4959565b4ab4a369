"""Speaking to the process that serves a replica: messages, a codec without I/O, streams, `RemoteReplica`, `serve`."""
