"""This machine's file system: confined operations, scan, hashing, index, staging, apply, trash, `LocalReplica`."""
