#compdef mr-attach
# SPDX-License-Identifier: MIT
# zsh completion for mr-attach: first processes that look like Python, then a command, then what it takes.

local -a commands options pids
local word command=''

commands=(
	'info:what it is, and whether attaching is allowed'
	'track:install tracking'
	'untrack:remove all that mr-attach put there'
	'list:user modules'
	'stale:modules whose code differs from their source'
	'reload:reload the named modules'
	'reload-stale:reload every stale user module'
	'undo:put back what the newest command replaced'
	'history:what was reloaded or undone'
	'exec:run Python code there'
	'run:run a file there'
)
options=(
	{-n,--dry-run}'[change nothing]'
	'--dependents[make values elsewhere again that were computed from what changes]'
	'--full[run every module-level statement again]'
	'*--keep[never run what binds this name]:name'
	'*--reinit[always run what binds this name]:name'
	'--on-stack[functions that are running]:what:(report wait refuse)'
	'--all[also installed packages]'
	'--thread[which thread]:which:(auto main any)'
	{-t,--timeout}'[limits]:seconds'
	{-j,--json}'[one JSON object per process]'
	'--errors[how errors in source look]:how:(prose gcc)'
	'--jobs[processes at once]:number'
	{-q,--quiet}'[nothing on success]'
	'*'{-v,--verbose}'[steps and timings]'
	'--color[colour]:when:(auto always never)'
	'--force[go on where policy says no]'
	{-h,--help}'[help]'
	'--version[version]'
	'--tree[and descendants]'
	'--unit[of a systemd unit]:unit'
	'--cgroup[of a control group]:path:_files -/'
)
for word in ${words[2,CURRENT-1]}; do
	if (( ${commands[(I)$word:*]} )); then
		command=$word
		break
	fi
done
case $command in
reload) _arguments -s $options '*:target:_files' ;;
run) _files ;;
exec) _message code ;;
'')
	pids=(${(f)"$(pgrep -i python 2> /dev/null)"})
	_arguments -s $options '*:process or command:->words'
	[[ $state == words ]] && { _describe command commands; compadd -a pids }
	;;
*) _arguments -s $options ;;
esac
