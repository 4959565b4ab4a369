"""The command line: one function per command in its own file, two renderers of the engine's events, progress."""
