"""# DESCRIPTION

How aefsync works, and why, for those who have to trust it with their files.

The idea is **anti-entropy**, as databases do it that must never lose an update: Dynamo, Cassandra and Riak compare hash
trees of their replicas, tell edits that follow each other from edits that do not by version vectors, and repair what
differs, as often as one likes and in any order, until all are equal.  A run takes these steps:

1 :: A process for each replica, on the machine that holds it, looks at every file.

2 :: The replicas are compared; what is asked and answered grows with the differences, not with the trees.

3 :: It is decided for each path that differs which version all get.

4 :: Guards look at the whole plan.  Nothing has been changed so far.

5 :: What is lacking is brought to a place beside the tree, complete and verified.

6 :: Each file is put in place in one step, if what is there is still what was compared.

7 :: All is looked at again, made durable, and remembered.

`-n` stops after 4.  A run that is killed at any moment leaves no half file at a real path, and the next run goes on.

# LOOKING

A file whose size, mtime, ctime and inode are those of the last look is not read again, unless it was so fresh then that
it could have been written once more within the same tick of the clock.  Where inodes are not stable (FAT, network file
systems, FUSE), size and mtime alone are trusted, with a margin of two seconds.  `-c` reads everything.

A file is looked at before and after it is read; if it moved meanwhile, it is left for the next run and said so.  What
cannot be read is **unknown**: nothing is concluded from it, and least of all that it was deleted.  The same holds for
a directory that became a mount point, or ceased to be one, since the last run: a disk that is not mounted today has
not lost its files.

Permission bits and mtimes count; owners, extended attributes, special bits and hard links where they are asked for.
What one of the replicas cannot store counts on none of them in that run, with a notice, so that a FAT disk does not
differ for ever.  Devices, FIFOs and sockets are skipped.

# COMPARING

Every entry has a digest over all that must agree: kind, permission bits, size, mtime, and the BLAKE3 of its content, the
same that `b3sum` shows.  A digest over those of a whole range stands for the range.  Equal digests, equal ranges: so one
question tells equal trees, however large they are.  Where digests differ, the range is asked about in parts, all such
ranges of a level in one question: one difference among a million entries is found in four, and some ten kilobytes.

`aefsync digest` prints the digest of a tree, or of anything in it, to be compared by other means.

# WHICH VERSION WINS

Each replica counts its own edits.  Every path has a **version vector**: for each replica, the number of its last edit
that went into what is there now.  No clock has a part in it.

{core.version: A creates a.txt | items}

If one vector is at least as large in every place, its version has seen the other one, and replaces it.  If neither is,
the two are **concurrent**: somebody edited one without knowing of the other.  Of all versions of a path the **heads**
are those that no other one has seen; these decide:

{core.settling: heads | items}

At the very first contact nobody knows what came of what.  What only some have is copied to the others then; files that
are equal are one version; and all others count as concurrent.

Concurrent edits are a **conflict**.  By default both are kept: the one with the newer mtime (then with the larger
digest) at its path, the other one beside it, as `name.conflict-DATE-HASH.ext`.  That order depends on nothing but the
two, so replicas that settle a conflict apart come to the same.  `--conflicts`, and rules by glob in the configuration,
have other ways.

# DELETIONS

That a file is absent means nothing.  It counts as deleted where a replica remembers to have had it and finds it gone: a
**tombstone** with a version takes its place, which replaces what it has seen, as an edit would.  An edit that the
deletion had not seen wins over it.

Tombstones are dropped when every member of the group is known to have seen them, and never by age alone: that is what
brings deleted files back elsewhere.  A member that the others have met without for 90 days is waited for no longer;
what it alone has when it returns, and what all others had deleted, goes to its
quarantine, which `aefsync trash` lists.  `aefsync members` says who takes
part, and has members leave or be forgotten.

# MOVES

A file that is gone from one path and new at another, with the same content, was moved, and is moved on the other
replicas; a whole directory too, in one step.  Nothing of it travels, and a move is no delete for `--max-delete`.

# MANY REPLICAS

Three or more replicas of one `repair` are looked at together, and it is decided once for all of them.  They may as well
meet two at a time, in any order and from any host: versions, tombstones and members travel with every repair, so what
came to C by way of B is known there for what A made of it.  With `aefsync gossip` a replica meets one of its group, the
one not tried for longest or any; where each does so now and then, all come to agree and nobody coordinates it.

# WITHOUT MEMORY

`--resolve lww` remembers nothing and deletes nothing: the newest mtime wins.  The first of these rules that applies:

{core.reconcile: 1 only absence differs | items}

With `--mirror` the first replica is the truth.  Nothing at all is written there; what the others have beyond it goes to
their trash.

# DAMAGE

Files of one size and one mtime but different content are the mark of a damaged disk, not of an edit.  They are left
standing and reported (`?` in `diff`), unless three or more replicas have a majority.  Likewise content that changed
while size, mtime, ctime and inode did not is not an edit: it is reported and never spread over a healthy copy.

# WHAT TRAVELS

Of a file that differs only those parts travel that the receiver has nowhere: not in the old version, not in another
file that is replaced, not in what an interrupted run left.  A file is cut into chunks where its content says so, so that
an insertion shifts nothing, and only chunks that are lacking are cut into smaller ones, up to four times: of a file of
512 MiB, changed in two places, about 10 KiB travel.

Two replicas of one machine copy from each other directly.  Whatever the source, the whole file must have the digest that
was compared, or it is not put in place.

# PUTTING IN PLACE

New content is complete beside the tree, with its permissions and times, before anything happens to the old one.  Just
before, size, mtime, ctime and inode of the old file must be what was compared.  Then both change places in one system
call (`renameat2` with `RENAME_EXCHANGE`): what was there is in the trash from that instant, and is looked at again.  If
somebody edited it within that moment, it ends beside the new one as a conflict copy.  What is new is put only where
nothing is (`RENAME_NOREPLACE`).

Where the file system cannot exchange names, it takes two steps, and what is about to happen is durable before the first,
so that a crash between them is mended and not taken for a deletion.

Data is durable before a name leads to it, names before they are remembered (`--durability`).  What was replaced or
deleted is kept for 30 days, and within a fifth of the disk (`--trash-keep`, `--trash-max`); `aefsync trash` restores
single paths, `aefsync undo` takes back all that a run did, and spreads as new edits do.

# COPIES, AND WHAT COMES FROM BACKUPS

A root is known by an id inside it, not by its path or its disk.  One that was known and is missing, empty or another
one stops the run.  A replica that was copied gets an id of its own.  One that was restored from a backup is recognised
by the others, which hold a mark of its last session: what it has counts as concurrent with what it has lost, so nothing
is overwritten unseen.

# FAR SIDES THAT ARE NOT TO BE TRUSTED

Every operation on a replica goes through directory descriptors and follows no symlink below the root, for reading as
well as for writing.  A path that comes from elsewhere is refused if it is absolute, empty, holds `.`, `..` or NUL, or
names `.aefsync` in any spelling that a file system could take for it.  No device, FIFO or socket is ever created,
special bits are dropped unless they are asked for, numbers and lengths are bounded before memory is taken for them.
Unknown hosts are refused.  A key can be pinned to one directory, read only or append only: see `aefsync-agent`(1).

# WHAT IS NOT PROMISED

Names and contents that change faster than a run takes are brought as they were at some moment of it, each file for
itself: there is no snapshot of the whole tree.  A program that writes into a file through a shared mapping after it was
read is noticed by the next run only.  Over `sftp://` each replacement takes two steps, and times are in whole seconds.
Whoever can write to a replica can write to all that are repaired with it; the trash and `aefsync undo` are the remedy.
"""

from __future__ import annotations

from aefsync.cli.manual.commands import see_also
from aefsync.cli.manual.quoting import quoted
from aefsync.cli.manual.roff import body, head


def how_page(version: str) -> str:
    """aefsync(7)."""
    name = '.SH "NAME"\naefsync \\- how replicas are made to agree, and why that is safe\n'
    others = see_also("aefsync(1)", "aefsync-repair(1)", "aefsync-format(5)")
    return head("aefsync", 7, version) + name + body(quoted(__doc__ or "")) + others
