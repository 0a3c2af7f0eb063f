# bash completion for tend and tendd: installed as share/bash-completion/completions/tend

# Names of the units of a kind ("folder", "step", "service", or "" for all), as the tendd that is meant lists them.
_tend_units() {
	local kind=$1
	shift
	tend "$@" status --json 2>/dev/null |
		sed -n "s/^ *\"unit\": \"\\(${kind:-[a-z]*}\\):\\(.*\\)\",*$/\\2/p"
}

_tend() {
	local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word command='' i
	local options='--config --socket --system --user --json --help --version' kind
	local -a which=()
	COMPREPLY=()

	case $previous in
	-c | --config | --socket)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	-n | --lines | -t | --timeout | --at | --since | --grep) return ;;
	--folder)
		mapfile -t COMPREPLY < <(compgen -W "$(_tend_units folder)" -- "$cur")
		return
		;;
	--to)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	esac

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-c | --config | --socket)
			which+=("$word" "${COMP_WORDS[i + 1]}")
			i=$((i + 1))
			;;
		--system | --user) which+=("$word") ;;
		-*) ;;
		*) [[ $command ]] || command=$word ;;
		esac
	done

	case $command in
	status) options+=' --watch' kind='' ;;
	history) options+=' --lines --folder --since' kind='' ;;
	sync) options+=' --wait --dry-run' kind=folder ;;
	wait) options+=' --timeout' kind=folder ;;
	pause | resume | versions | resolve) kind=folder ;;
	verify) options+=' --read' kind=folder ;;
	forget) options+=' --remote --yes' kind=folder ;;
	approve) options+=' --strangers --yes' kind=folder ;;
	ls) options+=' --at --recursive' kind=folder ;;
	restore) options+=' --at --to --overwrite' kind=folder ;;
	start) options+=' --only' kind=service ;;
	restart) options+=' --only' kind=service ;;
	stop) options+=' --only --yes' kind=service ;;
	logs) options+=' --follow --lines --since --grep' kind=service ;;
	env) kind=service ;;
	run) kind=step ;;
	awake) kind=awake ;;
	init) options+=' --yes' kind=none ;;
	reload) options+=' --dry-run' kind=none ;;
	remote) kind=remote ;;
	ui) options+=' --no-browser' kind=none ;;
	auth) options+=' --no-browser --device --paste' kind=none ;;
	*) kind=none ;;
	esac

	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [[ ! $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			'status sync wait pause resume approve resolve verify forget start stop restart logs reload upgrade ls versions restore remote history env auth plan run awake why-awake init edit doctor ui' -- "$cur")
	elif [[ $kind == awake ]]; then
		mapfile -t COMPREPLY < <(compgen -W '30m 2h off' -- "$cur")
	elif [[ $kind == remote ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'ls check' -- "$cur")
	elif [[ $kind != none ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_tend_units "$kind" "${which[@]}")" -- "$cur")
	fi
}

complete -F _tend tend
