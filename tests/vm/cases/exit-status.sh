# SPDX-License-Identifier: GPL-2.0-only
# What keeps ncgated from starting: one clear sentence and one exit status each,
# and nothing is attached on the way.
# kernels: 6.12
policy <<-END
	mode audit
	default deny
END
good="--config $work/policy.conf --audit $work/audit.jsonl --listen 127.0.0.1:9188"

# refused STATUS SENTENCE COMMAND...
refused() {
	local want=$1 text=$2 got=0
	shift 2
	timeout 20 "$@" > "$work/out.log" 2>&1 || got=$?
	equal "$got" "$want" "exit status of: $*"
	has "$work/out.log" "$text"
	[ ! -e /sys/fs/bpf/ncgate/links/decide_hook ] || fail "attached by: $*"
}

printf 'mode enforce\nallow 1af4:11100\n' > "$work/bad.conf"
refused 2 "bad.conf:2:12: " ncgated $good --config "$work/bad.conf"
refused 2 "No such file" ncgated $good --config "$work/none.conf"
refused 2 "not an ADDRESS:PORT" ncgated $good --listen nonsense
refused 2 "no arguments" ncgated $good surplus
mv /dev/kvm /dev/kvm.away
refused 10 "/dev/kvm is missing" ncgated $good
mv /dev/kvm.away /dev/kvm

mkdir "$work/empty"
refused 11 "CONFIG_DEBUG_INFO_BTF" unshare -m sh -c \
	"mount --bind $work/empty /sys/kernel/btf && exec ncgated $good"

refused 15 "CAP_BPF and CAP_PERFMON" setpriv --bounding-set=-bpf,-perfmon,-sys_admin \
	--inh-caps=-bpf,-perfmon,-sys_admin ncgated $good
refused 15 "no BPF file system" unshare -m sh -c "umount /sys/fs/bpf && exec ncgated $good"

# State of another layout is refused as it is, not adapted and not half used.
daemon
daemon_stop
bpftool map update pinned /sys/fs/bpf/ncgate/layout key hex 00 00 00 00 value hex 63 00 00 00 \
	$(for i in $(seq 36); do printf '00 '; done)
got=0
timeout 20 ncgated $good > "$work/out.log" 2>&1 || got=$?
equal "$got" 14 "exit status with state of another layout"
has "$work/out.log" "layout 99"

# The positive control: with everything in place it starts.
ncgated --remove-state
daemon
