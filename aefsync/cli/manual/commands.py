"""One page for each command, aefsync-repair(1) and so on, from the command tree."""

from __future__ import annotations

from collections.abc import Iterator

from aefsync.cli.catalogue import Group, Listed, Option
from aefsync.cli.manual.examples import EXAMPLES, RELATED
from aefsync.cli.manual.roff import escaped, head, marked


def command_page(listed: Listed, version: str) -> str:
    """The page of one command."""
    return "".join([head(f"aefsync-{listed.name}", 1, version), *_parts(listed)])


def _parts(listed: Listed) -> Iterator[str]:
    title = f"aefsync-{listed.name}"
    yield f'.SH "NAME"\n{escaped(title)} \\- {marked(_name_line(listed.says))}\n.SH "SYNOPSIS"\n'
    usages = (f"\\fBaefsync {escaped(name)}\\fR [\\fIOPTIONS\\fR]" for name in (listed.name, *listed.aliases))
    yield ".br\n".join(f"{usage} {escaped(listed.operands)}".rstrip() + "\n" for usage in usages)
    yield f'.SH "DESCRIPTION"\n{marked(listed.says)}\n'
    yield from (f".PP\n{marked(paragraph)}\n" for paragraph in listed.paragraphs)
    yield '.SH "OPTIONS"\n'
    yield from (part for group in listed.groups for part in _group(group))
    yield '.SH "EXIT STATUS"\n'
    yield from (f".TP\n\\fB{codes}\\fR\n{marked(meaning)}\n" for codes, meaning in listed.exits)
    yield '.SH "EXAMPLES"\n'
    yield from (f".TP\n\\fB{escaped(line)}\\fR\n{marked(says)}\n" for line, says in EXAMPLES[listed.name])
    related = [f"aefsync-{name}(1)" for name in RELATED[listed.name].split()]
    yield see_also("aefsync(1)", *related, "aefsync(7)")


def see_also(*pages: str) -> str:
    """The section that refers to other pages, each written as `aefsync-diff(1)`."""
    pairs = (page.split("(") for page in pages)
    return '.SH "SEE ALSO"\n' + ",\n".join(f"\\fB{escaped(name)}\\fR({section}" for name, section in pairs) + "\n"


def _name_line(says: str) -> str:
    text = says.rstrip(".").partition(" (")[0]
    return text[:1].lower() + text[1:]


def _group(group: Group) -> Iterator[str]:
    if group.title:
        yield f'.SS "{marked(group.title.partition(":")[0])}"\n'
    yield from map(option_item, group.options)


def option_item(option: Option) -> str:
    """An option of a list of them."""
    names = [f"\\fB{escaped(name)}\\fR" for name in option.names]
    if option.metavar:
        names[-1] += f" \\fI{escaped(option.metavar)}\\fR"
    if option.opposite:
        names.append(f"\\fB{escaped(option.opposite)}\\fR")
    return f".TP\n{', '.join(names)}\n{marked(option.says)}\n"
