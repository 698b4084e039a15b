# SPDX-License-Identifier: GPL-2.0-only
# One daemon at a time has the pins; --remove-state does not take them from under it; and
# a folder that another user made is not taken for ncgate's.
# kernels: 6.12 7.3
passthrough $bochs
policy <<-END
	mode enforce
	default deny
END
pins=/sys/fs/bpf/ncgate
ended() { # ended STATUS TEXT COMMAND...
	local want=$1 text=$2 got=0
	shift 2
	timeout 60 "$@" > "$work/out.log" 2>&1 || got=$?
	equal "$got" "$want" "exit status of: $*"
	has "$work/out.log" "$text"
}
second() { # second STATUS TEXT: another daemon with sockets and a trail of its own
	ended "$1" "$2" ncgated --config "$work/policy.conf" --audit "$work/second.jsonl" \
		--listen 127.0.0.1:9189 --control "$work/second.sock"
}

daemon
second 12 "another ncgated uses $pins"
ended 12 "another ncgated uses $pins" ncgated --remove-state
[ -e $pins/links/decide_hook ] || fail "--remove-state took the gate from a running daemon"
guest a --device $bochs --bar 0 --store unaligned
equal "$(result a)" kvm-error "denied after both were refused"
end "$guest_pid"
wait_for 10 audit_has '.type == "vm_destroy"'
whole_trail
daemon_stop
has "$work/ncgated.log" "what is attached goes on deciding"
[ -e $pins/links/decide_hook ] || fail "the decision did not outlive the daemon"

# What was unpinned by hand ends with the daemon, and it does not say otherwise.
daemon
rm $pins/links/*
: > "$work/ncgated.log"
daemon_stop
has "$work/ncgated.log" "nothing decides any more"
! grep -q "goes on deciding" "$work/ncgated.log" || fail "the daemon says what is not so"
ncgated --remove-state

# Another user's folder, made before the first daemon came.
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
as_nobody mkdir -p $pins/maps $pins/links
daemon
has "$work/ncgated.log" "belongs to uid 65534 and not to root"
equal "$(stat -c %u:%a $pins $pins/maps $pins/links | sort -u)" 0:700 "owner and mode of the pins"
! as_nobody mv $pins/maps $pins/away 2> /dev/null || fail "another user moved the maps"
! as_nobody rm -f $pins/layout 2> /dev/null || fail "another user removed the layout"
guest b --device $bochs --bar 0 --store unaligned
equal "$(result b)" kvm-error "denied, with another user's folder about"
daemon_stop
ncgated --remove-state
rm -r $pins-not-ours-1

# Root's own, but open to others: what is in it may be anybody's.
mkdir -m 0777 $pins
second 15 "others than root can change"
[ ! -e $pins/maps ] || fail "it was used nonetheless"
ncgated --remove-state
[ ! -e $pins ] || fail "--remove-state left it"
daemon
