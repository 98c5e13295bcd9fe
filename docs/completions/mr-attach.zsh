#compdef mr-attach
# SPDX-License-Identifier: MIT
# Completion of mr-attach for zsh.

_mr_attach_word()
{
	local -a commands=(
		'info:what the process is, and whether attaching is allowed'
		'track:time later loads and keep their source'
		'untrack:remove all that mr-attach put there'
		'list:user modules and their state'
		'stale:modules whose code differs from their source'
		'reload:reload the named modules'
		'reload-stale:reload every stale module'
		'exec:run Python code'
		'run:run a Python file'
	)
	local -a names=(${commands%%:*})
	if (( ${words[(I)(reload|run)]} )); then
		_files
	elif (( ! ${#${(@)words:*names}} )); then
		_describe command commands
		_pids
	fi
}

_arguments -s \
	'(-n --dry-run)'{-n,--dry-run}'[change nothing]' \
	'--full[run every module-level statement again]' \
	'*--keep[never run what binds this name]:name:' \
	'*--reinit[always run what binds this name]:name:' \
	'--all[also the standard library and installed packages]' \
	'--thread[which thread runs our code]:thread:(auto main any)' \
	'(-t --timeout)'{-t,--timeout}'[limit]:seconds:' \
	'(-j --json)'{-j,--json}'[one JSON object per process]' \
	'--errors=[errors for editors]:form:(gcc)' \
	'(-q --quiet -v --verbose)'{-q,--quiet}'[nothing on success]' \
	'(-q --quiet)*'{-v,--verbose}'[steps and timings]' \
	'--color=[colours]:when:(auto always never)' \
	'--force[go on where policy says no]' \
	'(-h --help)'{-h,--help}'[help]' \
	'--version[version]' \
	'*: :_mr_attach_word'
