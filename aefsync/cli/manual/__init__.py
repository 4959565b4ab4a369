"""The manual: pages for `man`, made from the command tree, from prose that stands in docstrings, and from theirs.

roff       marked-up text as roff
quoting    docstrings of the package quoted in pages
program    aefsync(1)
commands   aefsync-repair(1) and so on: one page for each command
formats    aefsync-format(5)
how        aefsync(7)
"""
