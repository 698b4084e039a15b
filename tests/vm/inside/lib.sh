# SPDX-License-Identifier: GPL-2.0-only
# What cases are written with. Sourced by inside/case; owns the daemon and the
# guests that a case starts, and ends them all by PID in clean_up.

work=/tmp/$case_name
pids=
daemon_pid=
at_end= # a command for clean_up, once nothing of ncgate is left
url=http://127.0.0.1:9188
hazards_conf=/ncg/hazards.conf # what a case's daemon knows
mkdir -p "$work"

fail() { echo "FAIL: $*" >&2; exit 1; }
skip() { echo "SKIP: $*" >&2; exit 77; }

# wait_for SECONDS COMMAND...: until COMMAND succeeds; fails when it never does.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || fail "not within the limit: $*"
		sleep 0.1
	done
}

# equal GOT WANTED WHAT
equal() { [ "$1" = "$2" ] || fail "$3: got '$1', wanted '$2'"; }

# has FILE TEXT: the file has the text, or the case fails and shows the file.
has() {
	grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "$1 has no '$2'"; }
}

release=$(uname -r)

# unasked: the type that this kernel gives a BAR when nobody decides, and what
# becomes of an unaligned store to it then.
case $release in
6.1.*-ncgate-series) unasked=normal_nc ;; # v6.1's mails
6.1.*) unasked=device_nGnRE ;;
*) unasked=normal_nc ;;
esac
[ $unasked = normal_nc ] && unasked_store=ok || unasked_store=kvm-error

# rounds FULL SHORT: how often, in a full run or in one that is made short.
rounds() { [ -e /ncg/short ] && echo "$2" || echo "$1"; }

# saw WHAT VALUE...: one cell of what this run has seen, for its report.
saw() { echo "$*" >> /ncg/logs/saw; }

ivshmem=0000:00:05.0  # 1af4:1110, BAR 2
bochs=0000:00:06.0    # 1234:1111, BAR 0
ivshmem2=0000:00:07.0 # 1af4:1110, BAR 2

vfio_load() {
	modprobe vfio_iommu_type1
	modprobe vfio-pci
}

# Whether the vfio-pci-core that is loaded has the hook.
hooked() { grep -q ' vfio_pci_uncached_policy\b' /proc/kallsyms; }

# passthrough DEVICE...: binds the devices to vfio-pci.
passthrough() {
	local d
	vfio_load
	for d in "$@"; do
		[ -e "/sys/bus/pci/drivers/vfio-pci/$d" ] && continue
		echo vfio-pci > "/sys/bus/pci/devices/$d/driver_override"
		[ ! -e "/sys/bus/pci/devices/$d/driver" ] ||
			echo "$d" > "/sys/bus/pci/devices/$d/driver/unbind"
		echo "$d" > /sys/bus/pci/drivers_probe
		[ -e "/sys/bus/pci/drivers/vfio-pci/$d" ] || fail "$d not bound to vfio-pci"
	done
}

# vfio_unload: unbinds every device and takes vfio and its drivers out of the kernel.
vfio_unload() {
	local d
	for d in /sys/bus/pci/drivers/vfio-pci/????:??:??.?; do
		[ ! -e "$d" ] || echo "${d##*/}" > /sys/bus/pci/drivers/vfio-pci/unbind
	done
	modprobe -r vfio-pci
	modprobe -r vfio-pci-core # on its own where a case loaded it by itself
	modprobe -r vfio_iommu_type1
	[ ! -e /sys/module/vfio ] || fail "vfio cannot be unloaded"
}

# detach_all_but PROGRAM: takes away the pins of the others, so that nothing of them
# holds vfio-pci-core any longer; without a daemon.
detach_all_but() {
	local link
	for link in /sys/fs/bpf/ncgate/links/*; do
		[ "${link##*/}" = "$1" ] || rm "$link"
	done
	wait_for 10 unheld
}
unheld() { [ "$(cat /sys/module/vfio_pci_core/refcnt)" = 1 ]; } # by vfio-pci alone

policy() { cat > "$work/policy.conf"; }

# daemon [ARG...]: starts ncgated with the case's policy and waits until it
# serves; its log is $work/ncgated.log, the audit $work/audit.jsonl.
daemon() {
	ncgated --config "$work/policy.conf" --audit "$work/audit.jsonl" \
		--hazards "$hazards_conf" --listen 127.0.0.1:9188 "$@" >> "$work/ncgated.log" 2>&1 &
	daemon_pid=$!
	pids="$pids $daemon_pid"
	local end=$((SECONDS + 60))
	until busybox wget -q -O /dev/null "$url/" 2> /dev/null; do
		kill -0 "$daemon_pid" 2>/dev/null || { cat "$work/ncgated.log" >&2; fail "ncgated ended"; }
		[ "$SECONDS" -lt "$end" ] || { cat "$work/ncgated.log" >&2; fail "ncgated does not answer"; }
		sleep 0.1
	done
}

daemon_stop() { # daemon_stop [SIGNAL]
	kill "-${1:-TERM}" "$daemon_pid"
	wait "$daemon_pid" || :
	daemon_pid=
}

# guest NAME ARG...: starts the small VMM with --hold and waits until it holds
# (or has ended); what it prints is in $work/NAME.json, its PID in $guest_pid.
guest() {
	local name=$1
	shift
	rm -f "$work/$name.json" # of a guest before, which would look settled
	minivmm --hold --name "$name" "$@" > "$work/$name.json" 2> "$work/$name.err" &
	guest_pid=$!
	pids="$pids $guest_pid"
	wait_for 60 guest_settled "$name" "$guest_pid"
	cat "$work/$name.json" "$work/$name.err"
}
guest_settled() {
	grep -q '"result"' "$work/$1.json" && return 0
	! kill -0 "$2" 2>/dev/null
}
result() { sed -n 's/.*"result": *"\([a-z-]*\)".*/\1/p' "$work/$1.json"; }
# child_of NAME: the PID of the process that has the VM of a guest with --inherit.
child_of() { sed -n 's/.*"child": *\([0-9]*\).*/\1/p' "$work/$1.json"; }

end() { # end PID
	kill -TERM "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}

# metrics: one scrape, in which no series stands twice.
metrics() {
	busybox wget -q -O - "$url/metrics" > "$work/metrics" || return
	awk '!/^#/ { sub(/ [^ ]*$/, ""); if (seen[$0]++) { print "twice: " $0; bad = 1 } }
		END { exit bad }' "$work/metrics" >&2 || fail "a series stands twice"
}

# walked PID...: has the daemon walk these guests now, whatever its share of a CPU allows:
# what it shows of them next is what they have.
walked() {
	local pid
	for pid; do
		ncgate walk "$pid" > /dev/null || fail "guest $pid cannot be walked"
	done
}

# sample 'NAME{LABELS}': the value of one series of the last scrape, or nothing.
sample() {
	awk -v want="$1" '{ v = $NF; sub(/ [^ ]*$/, ""); if ($0 == want) print v }' "$work/metrics"
}

# audit FILTER: the audit records for which the jq filter holds.
audit() { jq -c "select($1)" "$work/audit.jsonl"; }
audit_has() { [ -n "$(audit "$1")" ]; }

# The files of the trail, the oldest first, one a line.
trail_files() { ls "$work"/audit.jsonl.* 2> /dev/null; echo "$work/audit.jsonl"; }

# whole_trail: every event's number stands once in the trail: by itself, among repeats, or
# in what a gap says; from 1 to the last that a program drew. For a daemon that has ended,
# which tells what it had counted.
whole_trail() {
	local drawn
	drawn=$(bpftool -j map dump pinned /sys/fs/bpf/ncgate/maps/sequences |
		jq '.[] | .formatted | select(.key == 0) | .value')
	cat $(trail_files) | jq -r 'if .type == "repeats" then .seqs[] elif .type == "gap" then
		select(.first_seq) | [.first_seq, .last_seq] elif .seq then [.seq, .seq] else empty
		end | join(" ")' | sort -n | awk -v drawn="$drawn" '
		$1 != last + 1 { print "after " last + 0 " comes " $1; bad = 1; exit }
		{ last = $2 }
		END { if (!bad && last != drawn) print "the last is " last ", drawn are " drawn }' \
		> "$work/holes"
	[ ! -s "$work/holes" ] || fail "event numbers: $(cat "$work/holes")"
}

# oracle DDDD:BB:DD.F: asks outside for the device's mappings; reply on stdout. Of other
# memory START+SIZE, bytes in hex.
# oracle plug, oracle unplug: puts a device into the machine, or takes it back.
oracle() {
	local port=/dev/vport0p1 reply
	[ -e "$port" ] || port=$(ls /dev/vport*p1 | head -n 1)
	exec 7<> "$port"
	echo "$*" >&7
	IFS= read -r -t 60 reply <&7 || fail "the oracle does not answer"
	exec 7<&-
	echo "$reply"
}

# memory_types DEVICE BAR < ORACLE: the types that the oracle saw, as a JSON list.
memory_types() {
	jq -c --arg d "$1" --argjson b "$2" \
		'[.devices[] | select(.slot == $d and .bar == $b) | .mapped // {} | keys[]]'
}

# What was recorded goes to where the runner holds it against the schema.
keep_trail() {
	[ -e "$work/audit.jsonl" ] || return
	mkdir "/ncg/logs/$case_name.audit"
	cp "$work"/audit.jsonl* "/ncg/logs/$case_name.audit"
}

clean_up() {
	local status=$? p
	set +e
	for p in $pids; do
		kill -TERM "$p" 2>/dev/null
	done
	for p in $pids; do
		timeout 10 tail --pid="$p" -f /dev/null || kill -KILL "$p" 2>/dev/null
	done
	wait
	ncgated --remove-state
	$at_end
	keep_trail
	[ "$status" = 0 ] || [ "$status" = 77 ] || tail -n 40 "$work"/*.log "$work"/*.err 2>/dev/null
	exit "$status"
}
