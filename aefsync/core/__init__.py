"""The tour of the house: five floors, imports going down only.

`core` decides and touches nothing: no file, socket, clock, randomness or global.  `disk` is this machine's file system,
`wire` speaks to the process that serves a replica; the two never meet.  `sync` is the engine that drives replicas
through the port both fill in (`core.ports.Replica`), and `cli` shows what it says; `api` hands it to Python programs.

A repair goes through these files, in this order:

    sync/session     a process for each replica (`sync/child`, `parent`, `agent`), its root opened
    sync/company     who of them is there (`sync/present`): the others are done
    sync/survey      a snapshot of each                                   disk/scan, listing, building, page, index, blocks
                     contents read where they have to be                        disk/reading, hashing, doubtful, misplaced
                     compared level by level                              core/snapshot, tree, compare, pairing
                     what does not fit together refused                   core/consistent, scope
    sync/decide      all that differs, packed                             core/differences
                     what wins for each differing path                    core/reconcile, verdict, conflicts, surplus
                     what a replica has already is renamed                core/moves, untangle, relocated, finished
                     what each replica has to do, in safe order           core/plan, action
                     whether that may be done at all                      core/guards
    sync/growing     what only one replica has, by columns                core/apart, growth, disk/growing, planting
    sync/transfer    bytes brought to staging, verified                   disk/staging, beds, arriving, hashed_copy
    sync/delta       only the chunks that the receiver lacks              core/recipe, disk/chunking, content, assembly
    sync/passes      actions carried out, looked at before and after      disk/apply, placing, deleting, moving,
                                                                      metadata, trash
                     what a run cut short leaves, put right by the next   disk/intents, interrupted, modes, half_set, pending
                     versions of what comes along with a directory        core/along, disk/carrying
                     looked at again, made durable, remembered            disk/writer, recording, entering
    what is left standing, until it is found settled     core/unsettled, sync/past

`watch` and `gossip` do that again and again: after every hint at a change (`sync/watch`, `agenda`, `undone`, `resting`),
or with one peer after the other (`sync/gossip`, `core/gossip`).

A root that another machine holds and no agent serves (`sftp://`) goes through the same files but for those that look at
a disk and change it: in their place stand `disk/far`, over the port `core/files` that `wire/sftp` fills in.  Its sidecar
is fetched, changed by the same code (`disk/chronicling`, remembering), and sent back (`disk/far/fetched`, sidecar).

A scrub (`sync/scrub`) has each replica read its files anew (`disk/scrubbing`, scrubber, verifying, rereading) and judges
what is not as recorded by `core/rot`; of what has no record the peers are asked (`sync/voting`).  `sync/mending` brings it
from a peer by the same chunks and the same placing.

The values that all floors speak of are `path`, `entry`, `metadata`, `digest`, `view` and `problem`; `patterns` are gitignore
lines, for filters and rules, of which none takes for ever (`wildcards`); `labels` are what replicas are called;
`lending` is memory for what is large, and `named_tuple` the base of most classes of values.

The manual (`man/`) and the completions of shells (`completions/`) are made by `cli/manual` and `cli/completions`, from the
command tree (`cli/catalogue`) and from docstrings such as these.
"""
