# SPDX-License-Identifier: GPL-2.0-only
# Completion of ncgate for fish.

# Devices that can be passed to a guest, by slot.
function __ncgate_devices
    set -q NCGATE_SYSFS; or set -l NCGATE_SYSFS /sys
    for group in $NCGATE_SYSFS/bus/pci/devices/*/iommu_group
        basename (dirname $group)
    end
end

set -l commands status guests walk devices check explain replay suggest audit doctor
set -l none "not __fish_seen_subcommand_from $commands"

complete -c ncgate -f
complete -c ncgate -n $none -a status -d 'What is enforced, and whether all is well'
complete -c ncgate -n $none -a guests -d 'Which guest maps what, with which memory type'
complete -c ncgate -n $none -a walk -d "One guest's live tables, range by range"
complete -c ncgate -n $none -a devices -d 'Every device that a guest can have, verdict and use'
complete -c ncgate -n $none -a check -d 'Check policy files and show what they resolve to'
complete -c ncgate -n $none -a explain -d 'Why a device gets its verdict'
complete -c ncgate -n $none -a replay -d 'What a policy would have decided so far'
complete -c ncgate -n $none -a suggest -d 'Allow lines from what guests have used'
complete -c ncgate -n $none -a audit -d 'What the audit trail says of whom and when'
complete -c ncgate -n $none -a doctor -d 'What this host has, lacks and endangers'

complete -c ncgate -l json -d 'Print JSON'
complete -c ncgate -l help -d 'Show the options'
complete -c ncgate -l version -d 'Show the version'
complete -c ncgate -n "$none; or __fish_seen_subcommand_from status guests walk devices suggest doctor" \
    -l control -r -F -d 'Socket of ncgated'
complete -c ncgate -n '__fish_seen_subcommand_from devices explain suggest doctor' \
    -l policy -r -F -d 'Policy file'
complete -c ncgate -n '__fish_seen_subcommand_from replay suggest audit' \
    -l audit -r -F -d 'Audit trail'
complete -c ncgate -n '__fish_seen_subcommand_from doctor' \
    -l hazards -r -F -d 'Table of hazards'
complete -c ncgate -n '__fish_seen_subcommand_from check' \
    -l against -r -F -d 'The policy to compare with'
complete -c ncgate -n '__fish_seen_subcommand_from devices' \
    -l bound -d 'Only what is in use'
complete -c ncgate -n '__fish_seen_subcommand_from explain' \
    -l bar -x -a '0 1 2 3 4 5' -d 'This BAR alone'
complete -c ncgate -n '__fish_seen_subcommand_from audit' -l since -x -d 'From this time on'
complete -c ncgate -n '__fish_seen_subcommand_from audit' -l until -x -d 'Up to this time'
complete -c ncgate -n '__fish_seen_subcommand_from audit' -l guest -x -d 'Of this guest'
complete -c ncgate -n '__fish_seen_subcommand_from audit' \
    -l device -x -a '(__ncgate_devices)' -d 'Of this device'
complete -c ncgate -n '__fish_seen_subcommand_from audit' -l type -x -d 'Records of this type'
complete -c ncgate -n '__fish_seen_subcommand_from audit' \
    -l had -x -a 'normal_nc device_nGnRE' -d 'Who had BARs mapped so, and when'
complete -c ncgate -n '__fish_seen_subcommand_from audit' \
    -l follow -d 'Go on with records as they come'
complete -c ncgate -n '__fish_seen_subcommand_from check explain' \
    -l uid -x -d 'User of the process that maps'
complete -c ncgate -n '__fish_seen_subcommand_from check explain' \
    -l cgroup -x -d 'Cgroup of that process'
complete -c ncgate -n '__fish_seen_subcommand_from check replay' -F
complete -c ncgate -n '__fish_seen_subcommand_from devices explain' -a '(__ncgate_devices)'
