"""Completions: a script for each shell, made from the command tree; it asks `completing` for what it cannot know."""
