"""Random edits on real trees, and between them runs of all sorts: of a part, with filters that come and go, by other
policies; what people take back, restore and resolve; copies, restored replicas and lost sidecars; a target that can store
less; runs that are killed.  Whatever was done, no run fails, one over everything makes all agree, and nothing is lost.

`RUNS=200 pytest -m slow tests/sync/test_random_runs.py` tells so many stories of each class; the class and number of one
that fails tell it again.
"""

from __future__ import annotations

import itertools
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from aefsync.core.copies import Take, Way
from aefsync.core.metadata import Namespaces
from aefsync.core.past import TrashQuery
from aefsync.core.path import RelPath, is_within, parents
from aefsync.core.silent import Silent
from aefsync.core.stores import SECOND_NS, Folding, Stores
from aefsync.disk import opening
from aefsync.sync.conflicts import prune_conflicts, resolve_conflicts
from aefsync.sync.events import Conflicted, Enrolled, Event, Trashed, Troubled
from aefsync.sync.members import forget, leave, list_members
from aefsync.sync.trash import list_trash, restore_trash
from aefsync.sync.undo import undo
from tests.support.edits import FOLDERS, NAMES
from tests.support.tellers import Teller, end
from tests.support.trees import survey
from tests.support.unread import reading
from tests.sync.joined import threads
from tests.sync.test_far_trials import Agentless, unheard

PLACES = [*FOLDERS[1:], *(f"{folder}/{name}".strip("/") for folder in FOLDERS for name in NAMES)]
RULES = ["a", "e", "/d", "d/", "/f/g", "g", "*.conflict-*", "/d/e/*", "h", "!a", "!e", "!/d/e/h", "!g"]
POLICIES = ["keep-both"] * 4 + ["skip", "newest", "prefer:A", "prefer:B"]
REGIONS = [("d", "d/e", "d/e/h"), ("f", "f/g", "f"), ("",)]
FAT = Stores(0, 2 * SECOND_NS, owners=False, symlinks=False, folding=Folding.CASE)
NUMBER = int(os.environ.get("RUNS", "40"))


def part(teller: Teller, single: Path | None) -> None:
    """A run that looks at a part, leaves something out, or deletes nothing; where one alone edits, none that edits, too."""
    chance, some = teller.chance, teller.two_or_all()
    ways = ["paths"] * 3 + ["rules"] * 3 + ["file"] * 2 + ["no_delete"] * 2 + ["all", "both"]
    way, policy = chance.choice(ways if single else [*ways, "lww", "mirror"]), chance.choice(POLICIES)
    paths = tuple(RelPath(each.encode()) for each in chance.sample(PLACES, chance.choice([1, 1, 2])))
    rules = tuple(chance.sample(RULES, chance.choice([1, 2, 3])))
    parts = {"paths": {"paths": paths}, "rules": {"rules": rules}, "both": {"paths": paths, "rules": rules}}
    if way == "file":
        place = (single or chance.choice(some)) / ".aefsyncignore"
        if place.exists() and chance.random() < 0.5:
            place.unlink()
        else:
            place.write_text("\n".join(rules))
    if way in ("lww", "mirror"):
        more = parts[chance.choice(["paths", "rules"])]
        teller.meet(some, "lww", mirror=way == "mirror", **more)
    else:
        teller.meet(some, policy, no_delete=way == "no_delete", **parts.get(way, {}))


def of_parts(teller: Teller) -> None:
    chance = teller.chance
    teller.meet()
    for _ in range(3):
        single = chance.choice(teller.roots) if chance.random() < 0.4 else None
        for _ in range(chance.choice([1, 2, 3])):
            teller.edits(chance.randrange(1, 6), single)
            part(teller, single)
        for root in teller.roots:
            (root / ".aefsyncignore").unlink(missing_ok=True)
        before = survey(single) if single else None
        teller.conclude()
        assert before in (None, survey(teller.roots[0])), "who alone edits is obeyed"


def of_regions(teller: Teller) -> None:
    """Each edits directories of its own, all at once, between runs of parts: no conflict arises, and nothing comes back."""
    chance, roots = teller.chance, teller.roots
    regions = [("", "d", "d/e", "d/e/h"), ("f", "f/g", "f")] if len(roots) == 2 else REGIONS
    teller.meet()
    for _ in range(3):
        for _ in range(chance.choice([1, 2, 3])):
            for _ in range(chance.randrange(6)):
                number = chance.randrange(len(roots))
                teller.editor.folders = regions[number]
                teller.edit(roots[number])
            part(teller, roots[0])
        for root in roots:
            (root / ".aefsyncignore").unlink(missing_ok=True)
        wanted = {}
        for root, folders in zip(roots, regions, strict=True):
            tops = {folder.partition("/")[0].encode() for folder in folders}
            others = {b"d", b"f"} - tops if b"" in tops else set()
            for path, row in survey(root).items():
                top = path.partition(b"/")[0]
                if top in tops or (b"" in tops and top not in others):
                    wanted[path] = row
        teller.conclude()
        assert survey(roots[0]) == wanted


def afterthought(teller: Teller) -> None:
    """What people do about what runs did, on some of the replicas."""
    chance, some = teller.chance, teller.some()
    common = teller.common(some)
    match chance.choice(["undo"] * 3 + ["restore"] * 3 + ["resolve"] * 3 + ["prune", "leave", "forget"] + ["meet"] * 3):
        case "undo":
            run = chance.choice(teller.runs[-4:])
            teller.run(lambda: undo(common, run, Silent(), dry_run=False))
        case "restore":
            restore(teller, some)
        case "resolve":
            take = chance.choice([*map(Take, Way), "A", "B"])
            teller.run(lambda: resolve_conflicts(common, (), take, Silent()))
        case "prune":
            teller.run(lambda: prune_conflicts(common, Silent()))
        case "leave":
            teller.run(lambda: leave(teller.common(some[:1]), Silent()))
        case "forget":
            one = teller.common(some[:1])
            found = teller.run(lambda: list_members(one, Silent()))
            members = [event.member.id for event in found if isinstance(event, Enrolled)]
            if members:
                teller.run(lambda: forget(one, chance.choice(members), Silent()))
        case "meet":
            teller.meet(teller.two_or_all(), chance.choice(POLICIES))


def restore(teller: Teller, some: list[Path]) -> None:
    """One thing that is in the trash, or the directory that it was in, over what stands there."""
    chance, common = teller.chance, teller.common(some)
    with threads():
        items = [each.item for each in list_trash(common, TrashQuery(), Silent()) if isinstance(each, Trashed)]
    if not items:
        return
    item = chance.choice(items)
    above = item.path.rpartition(b"/")[0]
    path = above if above and chance.random() < 0.3 else bytes(item.path)
    query = TrashQuery(path, *(item.run if chance.random() < 0.3 else "" for _ in range(2)))
    to = os.fsencode(teller.outside) if chance.random() < 0.2 else None
    at = chance.random() < 0.3
    # What is in another place already stays.
    teller.run(lambda: restore_trash(common, query, to, Silent(), at=at), fine=(0, 1, 4) if to else (0, 1))


def of_afterthoughts(teller: Teller) -> None:
    chance = teller.chance
    teller.meet()
    for _ in range(3):
        for _ in range(chance.choice([1, 2, 3])):
            teller.edits(chance.randrange(0, 6))
            afterthought(teller)
        teller.conclude()


def mishap(teller: Teller, kept: dict[Path, Path]) -> None:
    """Something happens to a whole replica, or only a session."""
    chance, ours = teller.chance, teller.chance.choice(teller.roots)
    match chance.choice(["restored"] * 3 + ["meet"] * 3 + ["copied", "sidecar", "index", "id"]):
        case "restored" if kept:
            root = chance.choice(sorted(kept))
            gone = teller.held([root])
            shutil.rmtree(root)
            shutil.copytree(kept[root], root, symlinks=True)
            teller.written -= gone - teller.held(teller.roots)
        case "copied" if len(teller.roots) < 4:
            copy = teller.folder / "abcd"[len(teller.roots)]
            shutil.copytree(ours, copy, symlinks=True)
            teller.roots.append(copy)
        case "sidecar" | "index" | "id" as name:
            for file in (ours / ".aefsync").glob(f"{name}*"):
                file.unlink()
        case _:
            policy = chance.choice(["keep-both", "keep-both", "keep-both", "skip", "newest"])
            teller.meet(teller.two_or_all(), policy, new_root=True)


def of_mishaps(teller: Teller) -> None:
    chance = teller.chance
    teller.meet()
    kept: dict[Path, Path] = {}
    for _ in range(3):
        for _ in range(chance.choice([1, 2, 3])):
            if chance.random() < 0.5:
                root = chance.choice(teller.roots)
                kept[root] = teller.folder / "backup" / root.name
                shutil.rmtree(kept[root], ignore_errors=True)
                shutil.copytree(root, kept[root], symlinks=True)
            teller.edits(chance.randrange(0, 6))
            mishap(teller, kept)
        teller.conclude(new_root=True)


def of_kills(teller: Teller) -> None:
    """Whatever is done may be killed."""
    chance = teller.chance
    teller.meet()
    for _ in range(3):
        teller.kills = 0.5
        for _ in range(chance.choice([1, 2, 3])):
            teller.edits(chance.randrange(1, 6))
            part(teller, None) if chance.random() < 0.5 else afterthought(teller)
        for root in teller.roots:
            (root / ".aefsyncignore").unlink(missing_ok=True)
        teller.conclude()


def of_gossip(teller: Teller) -> None:
    """Pairs in any order, some sessions killed; then a round of everybody with their neighbours."""
    chance, roots = teller.chance, teller.roots
    teller.aspects = teller.aspects._replace(xattrs=chance.choice([Namespaces.NONE, Namespaces.USER]))
    teller.meet()
    for _ in range(2):
        for _ in range(chance.choice([2, 4, 6])):
            teller.edits(chance.randrange(0, 5))
            teller.kills = 0.4
            teller.meet(chance.sample(roots, 2))
        teller.kills = 0.0
        for pair in zip(roots, [*roots[1:], roots[0]], strict=True):
            teller.meet(pair)
        teller.conclude()


def over_sftp(teller: Teller) -> None:
    """The last one is reached by SFTP, which tells whole seconds and knows no owners of names."""
    far, chance = teller.roots[-1], teller.chance
    teller.where = lambda root: f"sftp://box{root}" if root == far else str(root)

    def as_one(again: list[Event]) -> None:
        assert end(again).exit_code == 0
        found = [
            {path: (*row[:2], int(row[2]) // SECOND_NS, row[3]) for path, row in survey(root).items()}
            for root in teller.roots
        ]
        assert all(each == found[0] for each in found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aefsync.sync.connecting.Agentless", lambda login, link: Agentless(unheard))
        teller.meet()
        for _ in range(2):
            teller.edits(chance.randrange(1, 8))
            part(teller, None) if chance.random() < 0.6 else afterthought(teller)
            for root in teller.roots:
                (root / ".aefsyncignore").unlink(missing_ok=True)
            teller.conclude(as_one=as_one)


def with_a_poor_target(teller: Teller) -> None:
    """The last one stores neither permissions nor symlinks, nor times finer than two seconds, and takes `a` for `A`."""
    poor, chance = teller.roots[-1], teller.chance
    inode = os.stat(poor).st_ino
    teller.editor.poor, teller.editor.names = poor, ("a", "e", "A", "h")
    window_ns = chance.choice([0, 2, 3]) * SECOND_NS
    teller.aspects = teller.aspects._replace(window_ns=window_ns, mode_bits=chance.choice([0, 0o777]))

    def as_one(again: list[Event]) -> None:
        """Files are where they are everywhere, but for those whose names clash, or which lie where a symlink is, or where
        something was left standing; a directory may stay for a symlink."""
        trees = [survey(root) for root in teller.roots]
        rows = [(path, int(row[0])) for tree in trees for path, row in tree.items()]
        folded = Counter(path.lower() for path in {path for path, _ in rows})
        apart = {path for path, mode in rows if stat.S_ISLNK(mode)}
        apart |= {bytes(event.path) for event in again if isinstance(event, Conflicted)}
        apart |= {event.problem.path for event in again if isinstance(event, Troubled)}
        for path in {path for path, mode in rows if stat.S_ISREG(mode)}:
            is_plain = all(folded[each.lower()] == 1 for each in (path, *filter(None, parents(path))))
            if is_plain and not is_within(path, apart):
                assert len({tree[path][3] if path in tree else None for tree in trees}) == 1, path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "stores_of", lambda fd, _, **__: FAT if os.fstat(fd).st_ino == inode else Stores())
        teller.meet()
        for _ in range(3):
            for _ in range(chance.choice([1, 2])):
                teller.edits(chance.randrange(1, 6))
                teller.meet(teller.two_or_all(), chance.choice(["keep-both", "keep-both", "newest", "skip"]))
            teller.conclude(as_one=as_one)


def tell(story: Callable[[Teller], None], folder: Path, number: int) -> None:
    """One story; those of some classes are of a sort that names of one file are no part of."""
    has_links = None if story in (of_parts, of_regions, of_afterthoughts, of_mishaps, of_kills, of_gossip) else False
    with reading(number) as is_unread:
        story(Teller(folder, number, replicas=3 if story is of_gossip else 0, links=has_links, large=is_unread))


STORIES = [of_parts, of_regions, of_afterthoughts, of_mishaps, of_kills, of_gossip, over_sftp, with_a_poor_target]


@pytest.mark.parametrize(
    ("story", "number"), [*itertools.product(STORIES, [4]), *itertools.product(STORIES[:5], [1]), (over_sftp, 1014)]
)
def test_a_few(tmp_path: Path, story: Callable[[Teller], None], number: int) -> None:
    tell(story, tmp_path, number)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_many(tmp_path: Path, story: Callable[[Teller], None]) -> None:
    for number in range(1000, 1000 + NUMBER):
        tell(story, tmp_path / str(number), number)
        shutil.rmtree(tmp_path / str(number))
