# SPDX-License-Identifier: MIT
# bash completion for mr-attach: first processes that look like Python, then a command, then what it takes.

_mr_attach_pids()
{
	local comm pid
	for comm in /proc/[0-9]*/comm; do
		pid=${comm#/proc/}
		pid=${pid%/comm}
		[[ $(< "$comm") == *[Pp]ython* ]] 2> /dev/null && echo "$pid"
	done
}

_mr_attach()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word command='' selected='' i
	local commands='info track untrack list stale reload reload-stale undo history exec run'
	local options='--dry-run --full --keep --reinit --dependents --on-stack --all --thread --timeout --json
		--errors --jobs --quiet --verbose --color --force --help --version --tree --unit --cgroup'

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ " $commands " == *" $word "* ]]; then
			command=$word
			break
		fi
		[[ $word == +([0-9]) || $word == --unit* || $word == --cgroup* ]] && selected=1
	done
	case $prev in
	--on-stack) COMPREPLY=($(compgen -W 'report wait refuse' -- "$cur")); return ;;
	--thread) COMPREPLY=($(compgen -W 'auto main any' -- "$cur")); return ;;
	--color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
	--errors) COMPREPLY=($(compgen -W 'prose gcc' -- "$cur")); return ;;
	--cgroup) COMPREPLY=($(compgen -d -- "$cur")); return ;;
	--unit) COMPREPLY=($(compgen -W "$(systemctl list-units --plain --no-legend -t service 2> /dev/null |
		cut -d ' ' -f 1)" -- "$cur")); return ;;
	--keep | --reinit | --timeout | -t | --jobs) return ;;
	esac
	if [[ $cur == -* && $command != exec && $command != run ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$cur"))
	elif [[ $command == reload || $command == run ]]; then
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
	elif [[ -z $command ]]; then
		COMPREPLY=($(compgen -W "$(_mr_attach_pids) ${selected:+$commands}" -- "$cur"))
	fi
}
shopt -s extglob
complete -F _mr_attach mr-attach
