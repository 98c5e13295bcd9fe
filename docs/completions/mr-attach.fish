# SPDX-License-Identifier: MIT
# fish completion for mr-attach: processes that look like Python, a command, then what it takes.

set -l commands info track untrack list stale reload reload-stale undo history exec run
set -l none "not __fish_seen_subcommand_from $commands"

complete -c mr-attach -f
complete -c mr-attach -n $none -a '(pgrep -i python)' -d process
complete -c mr-attach -n $none -a info -d 'what it is, and whether attaching is allowed'
complete -c mr-attach -n $none -a track -d 'install tracking'
complete -c mr-attach -n $none -a untrack -d 'remove all that mr-attach put there'
complete -c mr-attach -n $none -a list -d 'user modules'
complete -c mr-attach -n $none -a stale -d 'modules whose code differs from their source'
complete -c mr-attach -n $none -a reload -d 'reload the named modules'
complete -c mr-attach -n $none -a reload-stale -d 'reload every stale user module'
complete -c mr-attach -n $none -a undo -d 'put back what the newest command replaced'
complete -c mr-attach -n $none -a history -d 'what was reloaded or undone'
complete -c mr-attach -n $none -a exec -d 'run Python code there'
complete -c mr-attach -n $none -a run -d 'run a file there'
complete -c mr-attach -n '__fish_seen_subcommand_from reload run' -F
complete -c mr-attach -s n -l dry-run -d 'change nothing'
complete -c mr-attach -l dependents -d 'make values elsewhere again that were computed from what changes'
complete -c mr-attach -l full -d 'run every module-level statement again'
complete -c mr-attach -l keep -x -d 'never run what binds this name'
complete -c mr-attach -l reinit -x -d 'always run what binds this name'
complete -c mr-attach -l on-stack -x -a 'report wait refuse' -d 'functions that are running'
complete -c mr-attach -l all -d 'also installed packages'
complete -c mr-attach -l thread -x -a 'auto main any' -d 'which thread'
complete -c mr-attach -s t -l timeout -x -d 'seconds'
complete -c mr-attach -s j -l json -d 'one JSON object per process'
complete -c mr-attach -l errors -x -a 'prose gcc' -d 'how errors in source look'
complete -c mr-attach -l jobs -x -d 'processes at once'
complete -c mr-attach -s q -l quiet -d 'nothing on success'
complete -c mr-attach -s v -l verbose -d 'steps and timings'
complete -c mr-attach -l color -x -a 'auto always never' -d 'colour'
complete -c mr-attach -l force -d 'go on where policy says no'
complete -c mr-attach -s h -l help -d 'help'
complete -c mr-attach -l version -d 'version'
complete -c mr-attach -l tree -d 'and descendants'
complete -c mr-attach -l unit -x -d 'of a systemd unit'
complete -c mr-attach -l cgroup -x -a '(__fish_complete_directories)' -d 'of a control group'
