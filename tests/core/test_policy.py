from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, Policy, PolicyKind, parse_globs, parse_policy, parse_rule
from aefsync.disk.filter import Filter
from tests.support.values import paths


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("keep-both", Policy()),
        ("newest", Policy(PolicyKind.NEWEST)),
        (" skip ", Policy(PolicyKind.SKIP)),
        ("prefer:A", Policy(PolicyKind.PREFER, "A")),
        ("prefer: nas:photos", Policy(PolicyKind.PREFER, "nas:photos")),
        ("prefer:ssh://nas:22/p", Policy(PolicyKind.PREFER, "ssh://nas:22/p")),
        ("merge:git merge-file -p {a} {base} {b}", Policy(PolicyKind.MERGE, "git merge-file -p {a} {base} {b}")),
    ],
)
def test_policies_are_read(text: str, policy: Policy) -> None:
    assert parse_policy(text) == policy
    assert parse_policy(str(policy)) == policy


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is no policy for conflicts; there are keep-both, newest, skip, prefer:REPLICA, merge:CMD"),
        ("Newest", "'Newest' is no policy"),
        ("newest:", "'newest:': nothing follows newest"),
        ("skip:A", "nothing follows skip"),
        ("prefer", "'prefer': it is prefer:REPLICA"),
        ("merge: ", "it is merge:CMD"),
    ],
)
def test_other_words_are_no_policy(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=line.replace("(", r"\(")):
        parse_policy(text)


@pytest.mark.parametrize(
    ("glob", "fitting", "other"),
    [
        ("*.md", ["a.md", "docs/a.md", ".md", "x.md/inside"], ["a.mdx", "md", "a.md2/b"]),
        ("docs", ["docs", "docs/a", "x/docs/b"], ["docs2", "mydocs"]),
        ("docs/", ["docs/a", "x/docs/b/c"], ["docs"]),
        ("/docs", ["docs", "docs/a"], ["x/docs"]),
        ("docs/*.md", ["docs/a.md"], ["docs/x/a.md", "y/docs/a.md"]),
        ("docs/**/a", ["docs/a", "docs/x/y/a", "docs/a/b"], ["docs/xa", "a"]),
        ("**/a", ["a", "x/a"], ["xa"]),
        ("docs/**", ["docs/a", "docs/a/b"], ["docs", "other"]),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("a?c", ["abc", "aßc"], ["ac", "a/c", "abbc"]),
        ("[a-c]1", ["a1", "x/c1"], ["d1", "-1"]),
        ("[!a]1", ["b1"], ["a1", "1"]),
        ("x[!a]1", ["xb1"], ["xa1"]),
        ("[]^]1", ["]1", "^1"], ["a1"]),
        (r"[\]", ["\\"], ["]"]),
        ("[+-]", ["+", "-"], ["b"]),
        (r"\*", ["*"], ["a", "\\*"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a\nb*", ["a\nb\nc"], ["ab"]),
    ],
)
def test_globs(glob: str, fitting: list[str], other: list[str]) -> None:
    rule = parse_rule(glob, "skip")
    assert [path for path in (*fitting, *other) if rule.fits(RelPath(path.encode()))] == fitting


@pytest.mark.parametrize("glob", ["", " ", "/", "[a", "#a", "!a", "a\\", "[z-a]"])
def test_bad_globs(glob: str) -> None:
    with pytest.raises(ValueError, match="is no glob: it stands for no path|bad pattern") as raised:
        parse_rule(glob, "skip")
    assert repr(glob) in str(raised.value) and "\n" not in str(raised.value)


GLOBS = ["*", "a", "a/", "/a", "*/a", "a/b", "a/**", "**/b", "a/**/c", "?", "[ab]", "a*", r"\!a", "b/"]
NAMES = st.lists(st.sampled_from([b"a", b"b", b"c", b"ab", b"!a"]), min_size=1, max_size=4)


@given(st.sampled_from(GLOBS), NAMES)
def test_rules_mean_what_ignore_files_mean(glob: str, names: list[bytes]) -> None:
    """What a line of `.aefsyncignore` leaves out, with all that is in what it leaves out."""
    path, ignored = RelPath(b"/".join(names)), Filter([glob])
    is_out = any(ignored.excludes(above, is_directory=True) for above in path.ancestors)
    assert parse_rule(glob, "skip").fits(path) == (is_out or ignored.excludes(path, is_directory=False))


@pytest.mark.parametrize("written", ["a [1].txt", "x/what?"])
def test_a_path_stands_for_itself(written: str) -> None:
    chosen = parse_globs([written])
    assert chosen.fits(RelPath(written.encode()))
    assert not chosen.fits(RelPath(b"other"))


def test_the_last_rule_that_fits_wins() -> None:
    rules = (parse_rule("*.md", "newest"), parse_rule("docs", "prefer:B"))
    policies = Policies(Policy(PolicyKind.SKIP), rules)
    assert policies.of(RelPath(b"a.md")) == Policy(PolicyKind.NEWEST)
    assert policies.of(RelPath(b"docs/a.md")) == Policy(PolicyKind.PREFER, "B")
    assert policies.of(RelPath(b"a.txt")) == Policy(PolicyKind.SKIP)
    assert list(policies.all) == [Policy(PolicyKind.SKIP), Policy(PolicyKind.NEWEST), Policy(PolicyKind.PREFER, "B")]


@given(paths)
def test_a_rule_for_all_fits_all(path: RelPath) -> None:
    assert parse_rule("*", "skip").fits(path)
