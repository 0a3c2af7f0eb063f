# fish completion for tend: installed as share/fish/vendor_completions.d/tend.fish

# Names of the units of a kind ("folder", "service", or nothing for all).
function __tend_units
    set -l kind $argv[1]
    test -n "$kind"; or set kind '[a-z]*'
    tend status --json 2>/dev/null | string match -rg '^ *"unit": "'$kind':(.*)",?$'
end

complete -c tend -f
complete -c tend -s c -l config -r -F -d 'the tendd that runs with this file'
complete -c tend -l socket -r -F -d 'the tendd that listens there'
complete -c tend -l system -d 'the tendd of the machine'
complete -c tend -l user -d 'the tendd of this user'
complete -c tend -l json -d 'what the API answers, as JSON'
complete -c tend -s h -l help -d 'help, also for a command'
complete -c tend -l version -d 'the version'

complete -c tend -n __fish_use_subcommand -a status -d 'how everything stands, or one unit'
complete -c tend -n __fish_use_subcommand -a sync -d 'scan and send now'
complete -c tend -n __fish_use_subcommand -a wait -d 'until all that was written before is in the cloud'
complete -c tend -n __fish_use_subcommand -a pause -d 'send nothing of a folder'
complete -c tend -n __fish_use_subcommand -a resume -d 'go on with a paused folder'
complete -c tend -n __fish_use_subcommand -a approve -d 'let deletions go that are held back'
complete -c tend -n __fish_use_subcommand -a verify -d 'compare the remote with what was stored there'
complete -c tend -n __fish_use_subcommand -a forget -d 'what the rules no longer cover'
complete -c tend -n __fish_use_subcommand -a history -d 'what happened, and who ordered it'
complete -c tend -n __fish_use_subcommand -a start -d 'start a service'
complete -c tend -n __fish_use_subcommand -a stop -d 'stop a service, or tendd'
complete -c tend -n __fish_use_subcommand -a restart -d 'stop a service and start it again'
complete -c tend -n __fish_use_subcommand -a logs -d 'what a service wrote'
complete -c tend -n __fish_use_subcommand -a reload -d 'read the configuration again'
complete -c tend -n __fish_use_subcommand -a ls -d 'what lies in the remote of a folder, now or then'
complete -c tend -n __fish_use_subcommand -a versions -d 'every content of a file that can be had back'
complete -c tend -n __fish_use_subcommand -a restore -d 'bring files back'
complete -c tend -n __fish_use_subcommand -a remote -d 'look at a remote itself'
complete -c tend -n __fish_use_subcommand -a auth -d 'sign in to a remote that wants a person'
complete -c tend -n __fish_use_subcommand -a plan -d 'what steps would do, and why'
complete -c tend -n __fish_use_subcommand -a run -d 'do a step now'

complete -c tend -n '__fish_seen_subcommand_from status history' -a '(__tend_units)'
complete -c tend -n '__fish_seen_subcommand_from sync wait pause resume approve verify forget ls versions restore' -a '(__tend_units folder)'
complete -c tend -n '__fish_seen_subcommand_from start stop restart logs' -a '(__tend_units service)'

complete -c tend -n '__fish_seen_subcommand_from run' -a '(__tend_units step)'

complete -c tend -n '__fish_seen_subcommand_from remote' -a 'ls check'

complete -c tend -n '__fish_seen_subcommand_from status' -s w -l watch -d 'again and again'
complete -c tend -n '__fish_seen_subcommand_from sync' -s w -l wait -d 'return when it is durable'
complete -c tend -n '__fish_seen_subcommand_from wait' -s t -l timeout -x -d 'give up after that'
complete -c tend -n '__fish_seen_subcommand_from start stop restart' -l only -d 'leave those that require it'
complete -c tend -n '__fish_seen_subcommand_from approve' -l strangers -d 'what only the remote has'
complete -c tend -n '__fish_seen_subcommand_from stop approve forget' -s y -l yes -d 'do not ask'
complete -c tend -n '__fish_seen_subcommand_from logs' -s f -l follow -d 'go on'
complete -c tend -n '__fish_seen_subcommand_from logs history' -s n -l lines -x -d 'begin with the last N lines'
complete -c tend -n '__fish_seen_subcommand_from reload' -l dry-run -d 'only say what would change'
complete -c tend -n '__fish_seen_subcommand_from sync' -l dry-run -d 'only say what would be sent'
complete -c tend -n '__fish_seen_subcommand_from ls restore' -l at -x -d 'as it was then'
complete -c tend -n '__fish_seen_subcommand_from ls' -s r -l recursive -d 'all that lies below'
complete -c tend -n '__fish_seen_subcommand_from restore' -l to -r -a '(__fish_complete_directories)' -d 'where to'
complete -c tend -n '__fish_seen_subcommand_from restore' -l overwrite -d 'replace what stands there'
complete -c tend -n '__fish_seen_subcommand_from verify' -l read -d 'read the contents back as well'
complete -c tend -n '__fish_seen_subcommand_from forget' -l remote -d 'remove it at the remote'
complete -c tend -n '__fish_seen_subcommand_from auth' -l no-browser -d 'only print the page to open'
complete -c tend -n '__fish_seen_subcommand_from auth' -l device -d 'by a code typed elsewhere'
complete -c tend -n '__fish_seen_subcommand_from auth' -l paste -d 'read a token made elsewhere'
