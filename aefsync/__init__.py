"""aefsync makes replicas of a directory tree agree, by anti-entropy."""

__version__ = "0.1.0"
