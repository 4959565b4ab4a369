# bash completion for aefsync, made by: python -m aefsync.cli.manual

_aefsync()
{
    local cur prev command= i line=${COMP_LINE:0:COMP_POINT}
    COMPREPLY=()
    cur=${COMP_WORDS[COMP_CWORD]} i=$COMP_CWORD
    while ((i > 1)) && [[ $line == *"${COMP_WORDS[i-1]}$cur" ]]; do
        cur=${COMP_WORDS[--i]}$cur
    done
    prev=${COMP_WORDS[i-1]}
    if [[ $cur == --*=* ]]; then
        prev=${cur%%=*} cur=${cur#*=}
    fi
    local word
    for word in "${COMP_WORDS[@]:1:i-1}"; do
        if [[ $word != -* ]]; then
            command=$word
            break
        fi
    done
    case $prev in
        --log-file|--exclude-from|--identity|--config|--metrics-file) _aefsync_files -f; return ;;
        --exclude|--include|--path|--modify-window|-p|--port|--connect-timeout|--timeout|--retries|--bwlimit|--mirror-from|--max-delete|--lock-wait|--max-duration|--trash-keep|--trash-max|--min-free|--rescan|--settle|--every|--rounds|--fanout|--at|--suspect|--accept|--time-limit|--read-percent|--tree|--since|--run|--older-than|--max-age|--name) :; return ;;
        --cache-dir|--state-dir|--to|--root) _aefsync_files -d; return ;;
        --transport) _aefsync_words 'auto openssh paramiko'; return ;;
        -e|--ssh|--remote-command|--on-change|--on-conflict|--on-error) _aefsync_files -c; return ;;
        --color) _aefsync_words 'auto always never'; return ;;
        --resolve) _aefsync_words 'versions lww'; return ;;
        --conflicts) _aefsync_words 'keep-both newest skip prefer: merge:'; return ;;
        --durability) _aefsync_words 'full batch none'; return ;;
        --peer) _aefsync_ask replicas; return ;;
        --take) _aefsync_words 'current copy both newest'; return ;;
    esac
    case $command in
        '') _aefsync_words 'diff repair sync watch gossip schedule scrub digest trash status init members conflicts runs undo demo deploy doctor agent --help --version' ;;
        diff)
            [[ $cur == -* ]] && _aefsync_words '--null --quick --brief --chunks --log-file --help --allow-new-root --allow-empty-root --owner --numeric-ids --xattrs --hard-links --setid --exclude --include --exclude-from --path --list-filtered --checksum --one-file-system --no-perms --no-times --modify-window --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        repair|sync)
            [[ $cur == -* ]] && _aefsync_words '--help --dry-run --itemize-changes --mirror --mirror-from --max-delete --no-delete --lock-wait --max-duration --no-create-root --allow-unrelated-roots --allow-unreachable --resolve --conflicts --durability --no-trash --trash-keep --trash-max --min-free --on-change --on-conflict --on-error --allow-new-root --allow-empty-root --owner --numeric-ids --xattrs --hard-links --setid --exclude --include --exclude-from --path --list-filtered --checksum --one-file-system --no-perms --no-times --modify-window --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --log-file --metrics-file --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        watch)
            [[ $cur == -* ]] && _aefsync_words '--help --rescan --settle --poll --dry-run --itemize-changes --mirror --mirror-from --max-delete --no-delete --lock-wait --max-duration --no-create-root --allow-unrelated-roots --allow-unreachable --resolve --conflicts --durability --no-trash --trash-keep --trash-max --min-free --on-change --on-conflict --on-error --allow-new-root --allow-empty-root --owner --numeric-ids --xattrs --hard-links --setid --exclude --include --exclude-from --path --list-filtered --checksum --one-file-system --no-perms --no-times --modify-window --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --log-file --metrics-file --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        gossip)
            [[ $cur == -* ]] && _aefsync_words '--help --every --rounds --fanout --dry-run --itemize-changes --mirror --mirror-from --max-delete --no-delete --lock-wait --max-duration --no-create-root --allow-unrelated-roots --allow-unreachable --resolve --conflicts --durability --no-trash --trash-keep --trash-max --min-free --on-change --on-conflict --on-error --allow-new-root --allow-empty-root --owner --numeric-ids --xattrs --hard-links --setid --exclude --include --exclude-from --path --list-filtered --checksum --one-file-system --no-perms --no-times --modify-window --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --log-file --metrics-file --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        schedule)
            [[ $cur == -* ]] && _aefsync_words '--help --at --every --install --list --remove --uninstall --dry-run --itemize-changes --mirror --mirror-from --max-delete --no-delete --lock-wait --max-duration --no-create-root --allow-unrelated-roots --allow-unreachable --resolve --conflicts --durability --no-trash --trash-keep --trash-max --min-free --on-change --on-conflict --on-error --allow-new-root --allow-empty-root --owner --numeric-ids --xattrs --hard-links --setid --exclude --include --exclude-from --path --list-filtered --checksum --one-file-system --no-perms --no-times --modify-window --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --log-file --metrics-file --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        scrub)
            [[ $cur == -* ]] && _aefsync_words '--help --dry-run --peer --suspects --suspect --accept --time-limit --read-percent --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --log-file --metrics-file --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        digest)
            [[ $cur == -* ]] && _aefsync_words '--tree --content --log-file --help --exclude --include --exclude-from --path --list-filtered --checksum --one-file-system --no-perms --no-times --modify-window --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        trash)
            [[ $cur == -* ]] && _aefsync_words '--help --since --run --at --to --older-than --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_words 'list restore purge'
            _aefsync_ask replicas
            ;;
        status)
            [[ $cur == -* ]] && _aefsync_words '--live --max-age --log-file --help --exclude --include --exclude-from --path --list-filtered --checksum --one-file-system --no-perms --no-times --modify-window --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        init)
            [[ $cur == -* ]] && _aefsync_words '--name --help --allow-new-root --allow-empty-root --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        members)
            [[ $cur == -* ]] && _aefsync_words '--no-location --help --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_words 'list add leave forget'
            _aefsync_ask replicas
            ;;
        conflicts)
            [[ $cur == -* ]] && _aefsync_words '--help --take --all --dry-run --itemize-changes --cache-dir --state-dir --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_words 'list resolve prune'
            _aefsync_ask replicas
            ;;
        runs)
            [[ $cur == -* ]] && _aefsync_words '--help --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_ask replicas
            ;;
        undo)
            [[ $cur == -* ]] && _aefsync_words '--dry-run --itemize-changes --help --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key --json --verbose --quiet --progress --no-progress --color --stats --config' && return
            _aefsync_words last
            _aefsync_ask replicas
            ;;
        demo)
            [[ $cur == -* ]] && _aefsync_words '--json --help' && return
            ;;
        deploy)
            [[ $cur == -* ]] && _aefsync_words '--help --json --verbose --quiet --progress --no-progress --color --stats --config --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key' && return
            _aefsync_ask hosts
            ;;
        doctor)
            [[ $cur == -* ]] && _aefsync_words '--state-dir --help --json --verbose --quiet --progress --no-progress --color --stats --config --transport --ssh --port --identity --remote-command --connect-timeout --timeout --retries --deploy --compress --no-compress --bwlimit --accept-new-host-key' && return
            _aefsync_ask replicas
            ;;
        agent)
            [[ $cur == -* ]] && _aefsync_words '--root --read-only --append-only --help' && return
            ;;
    esac
}

_aefsync_give()
{
    local breaks= each cut=
    for each in : = @; do
        [[ $COMP_WORDBREAKS != *$each* ]] || breaks+=$each
    done
    [[ -z $breaks ]] || cut=${cur%"${cur##*[$breaks]}"}
    for each; do
        [[ $each != *[/:] ]] || compopt -o nospace 2>/dev/null
        COMPREPLY+=("${each#"$cut"}")
    done
}

_aefsync_words()
{
    local found
    mapfile -t found < <(compgen -W "$1" -- "$cur")
    _aefsync_give "${found[@]}"
}

_aefsync_ask()
{
    local each quoted found=() plain=${cur//\\/}
    [[ $cur != [\'\"]* ]] || return 0
    while IFS= read -r each; do
        printf -v quoted %q "$each"
        found+=("${quoted/#\\\~/\~}")
    done < <(
        "${COMP_WORDS[0]/#\~/$HOME}" _complete "$1" "$plain" 2>/dev/null
        [[ $1 != replicas ]] || compgen -d -S / -- "$plain"
    )
    _aefsync_give "${found[@]}"
}

_aefsync_files()
{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "${cur//\\/}")
}

complete -F _aefsync aefsync
