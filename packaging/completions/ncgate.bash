# SPDX-License-Identifier: GPL-2.0-only
# Completion of ncgate for bash; needs nothing but bash. Where the package
# bash-completion is not installed: . /usr/share/bash-completion/completions/ncgate

# Devices that can be passed to a guest, by slot.
_ncgate_devices() {
	local device
	for device in "${NCGATE_SYSFS:-/sys}"/bus/pci/devices/*; do
		[ -e "$device/iommu_group" ] && printf '%s\n' "${device##*/}"
	done
}

_ncgate() {
	local commands='status guests walk devices check explain replay suggest audit doctor'
	local options='--json --help --version' word= option= command= i
	# The word as typed: bash cuts words at = and :, which stand in ours.
	local line=${COMP_LINE:0:COMP_POINT}
	local current=${line##*[[:space:]]} prefix

	for ((i = 1; i < COMP_CWORD; i++)); do
		case " $commands " in
		*" ${COMP_WORDS[i]} "*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $command in
	'' | status | guests | walk) options+=' --control' ;;
	devices) options+=' --control --policy --bound' ;;
	check) options+=' --against --uid --cgroup' ;;
	explain) options+=' --policy --bar --uid --cgroup' ;;
	replay) options+=' --audit' ;;
	suggest) options+=' --control --policy --audit' ;;
	audit) options+=' --audit --since --until --guest --device --type --had --follow' ;;
	doctor) options+=' --control --policy --hazards' ;;
	esac

	# --option=value, or --option value.
	word=$current
	case $current in
	--*=*) option=${current%%=*} word=${current#*=} ;;
	*)
		prefix=${line%"$current"}
		prefix=${prefix%"${prefix##*[![:space:]]}"}
		option=${prefix##*[[:space:]]}
		;;
	esac
	COMPREPLY=()
	case $option in
	--control | --policy | --audit | --hazards | --against)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames
		return
		;;
	--bar)
		mapfile -t COMPREPLY < <(compgen -W '0 1 2 3 4 5' -- "$word")
		return
		;;
	--device)
		mapfile -t COMPREPLY < <(compgen -W "$(_ncgate_devices)" -- "$word")
		return
		;;
	--had)
		mapfile -t COMPREPLY < <(compgen -W 'normal_nc device_nGnRE' -- "$word")
		return
		;;
	--uid | --cgroup | --since | --until | --guest | --type) return ;;
	esac
	case $command:$current in
	*:-*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
	:*) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current") ;;
	check:* | replay:*)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames
		;;
	devices:* | explain:*)
		mapfile -t COMPREPLY < <(compgen -W "$(_ncgate_devices)" -- "$current")
		# Only what follows the last colon is replaced.
		case $current:$COMP_WORDBREAKS in
		*:*:*) COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}") ;;
		esac
		;;
	esac
}

complete -F _ncgate ncgate
