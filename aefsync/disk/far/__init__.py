"""A root that another machine holds and no agent serves: all that is known of it are files that can be operated on.

`FarReplica` fills in the same port as `LocalReplica`, over `core.files.Files`, and shares with it whatever does not
depend on how files are reached: the scan, its pages and index, what is remembered, the journal and what is made of it,
trash listings, retention.  What it does not share is how a directory of this machine is read and changed.  That is descriptors,
`openat2`, exchanged names, reflinks and exact times, a few microseconds each, and none of it exists over there; an
interface that both could stand behind would have to be the poorer one, and a round trip is a thousand times what a
system call is, so here everything is put together in tasks, many of which are under way at once.

It runs in a process of its own, as every replica does, on this machine: content is hashed where it arrives.

What it cannot promise is told in `Opened.caveats`, and held to by the contract suite.
"""
