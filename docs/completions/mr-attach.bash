# SPDX-License-Identifier: MIT
# Completion of mr-attach for bash.

_mr_attach()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word command=
	local commands='info track untrack list stale reload reload-stale exec run'
	local options='--dry-run --full --keep --reinit --all --thread --timeout --json --errors=gcc --quiet --verbose
		--color= --force --help --version'

	COMPREPLY=()
	case $previous in
	--thread) COMPREPLY=($(compgen -W 'auto main any' -- "$current")); return ;;
	--color) COMPREPLY=($(compgen -W 'auto always never' -- "$current")); return ;;
	esac
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ " $commands " == *" $word "* ]] && command=$word && break
	done
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$current"))
	elif [[ $command == reload || $command == run ]]; then
		COMPREPLY=($(compgen -f -- "$current"))
	elif [[ -z $command ]]; then
		COMPREPLY=($(compgen -W "$commands $(pgrep -f python)" -- "$current"))
	fi
}
complete -o filenames -F _mr_attach mr-attach
