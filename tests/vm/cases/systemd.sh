# SPDX-License-Identifier: GPL-2.0-only
# The unit under systemd itself, in a container of the host: it starts with all its
# restrictions, before a VMM that is an ordinary service with no word about ncgated; it
# reloads, is restarted when it is killed or hangs, and ends. Without the unit the same VMM
# gets what its policy denies. The unit loads vfio-pci, which nobody has loaded before.
# kernels: 6.12
# limit: 600
passthrough $bochs
root=$work/root
mkdir -p $root

write_unit() { cat > "$root/etc/systemd/system/$1"; }

# boot: systemd as PID 1 of a container, which has the host's kernel, devices and
# bpffs.
boot() {
	unshare --mount --pid --cgroup --uts --ipc --fork --kill-child --propagation private -- \
		sh -c "
		mount -t proc proc $root/proc
		mount --rbind /dev $root/dev
		mount --rbind /sys $root/sys
		umount $root/sys/fs/cgroup
		mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
		mount -t tmpfs tmpfs $root/run
		mount --bind /tmp $root/tmp
		exec chroot $root env -i container=ncgate PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			/usr/lib/systemd/systemd --system --unit=multi-user.target \
			--log-target=console --show-status=no --log-level=info
		" > "$work/systemd.log" 2>&1 &
	systemd=$!
	pids="$pids $systemd"
	init=
	wait_for 20 find_init
}
# As seen from here.
find_init() { init=$(pgrep -P "$systemd") && [ -n "$init" ]; }
inside() { nsenter -t "$init" -m -p -C -u -i -- chroot "$root" "$@"; }
power_off() {
	kill -s RTMIN+4 "$init" # systemd(1): poweroff.target
	timeout 60 tail --pid="$systemd" -f /dev/null || fail "systemd does not end"
	wait "$systemd" || :
}
vmm_has_run() { grep -q '"result"' "$root/var/vmm.json"; }
state() { inside systemctl show -P "$2" "$1"; }
shows() { [ "$(state "$1" "$2")" = "$3" ]; }

# The host's root, with an /etc and a /var of its own.
mount --bind / "$root"
for part in etc var; do
	mount -t tmpfs tmpfs "$root/$part"
	cp -a "/$part/." "$root/$part"
done
mkdir -p $root/etc/systemd/system/{basic,multi-user}.target.wants $root/etc/ncgate
installed="/usr/sbin/ncgated /usr/sbin/ncgate /usr/sbin/minivmm /usr/share/ncgate"
at_end=uninstall
uninstall() { umount -R "$root"; rm -rf $installed; }
for program in ncgated ncgate minivmm; do install -m 755 /ncg/bin/$program /usr/sbin; done
install -D -m 644 /ncg/hazards.conf /usr/share/ncgate/hazards.conf
install -m 644 /ncg/ncgated.service $root/etc/systemd/system
echo 0123456789abcdef0123456789abcdef > $root/etc/machine-id
printf 'mode enforce\ndefault deny\ndeny "NVIDIA Corporation":*\n' > $root/etc/ncgate/policy.conf
# As an operator writes it: ordered after nothing that is ncgate's.
write_unit vmm.service <<-END
	[Service]
	Type=oneshot
	RemainAfterExit=yes
	ExecStart=/bin/sh -c 'exec minivmm --device $bochs --bar 0 --store unaligned > /var/vmm.json'
	SuccessExitStatus=12
END
ln -s ../vmm.service $root/etc/systemd/system/multi-user.target.wants/vmm.service

boot
wait_for 150 vmm_has_run
has $root/var/vmm.json '"ok"'
power_off
rm $root/var/vmm.json

ln -s ../ncgated.service $root/etc/systemd/system/basic.target.wants/ncgated.service
# A daemon that hangs is to be noticed within the limits of a test.
mkdir $root/etc/systemd/system/ncgated.service.d
write_unit ncgated.service.d/watchdog.conf <<-END
	[Service]
	WatchdogSec=15
	TimeoutAbortSec=2
END
vfio_unload # the device stays meant for vfio-pci, by its driver_override
boot
wait_for 150 vmm_has_run
has $root/var/vmm.json '"kvm-error"'
wait_for 60 shows vmm.service ActiveState active
equal "$(state ncgated.service ActiveState)" active "the unit"
[ "$(state ncgated.service ActiveEnterTimestampMonotonic)" -lt \
	"$(state vmm.service ExecMainStartTimestampMonotonic)" ] || fail "the VMM was started first"
metrics
equal "$(sample 'ncgate_enforcement_grade{grade="hook"}')" 1 "grade"
! inside systemctl show -P ExecStartPre ncgated.service | grep -q 'status=[^0]' ||
	fail "vfio-pci was not loaded by the unit"
equal "$(sample ncgate_bar_mmaps_before_gate)" 0 "mappings before the gate"
equal "$(sample ncgate_guests)" 0 "the walk works under the unit's restrictions"
inside ncgate status | grep -q hook || fail "ncgate status inside"
trail=$root/var/log/ncgate/audit.jsonl
equal "$(jq -c 'select(.type == "decision") | [.verdict, .device.slot, .guest.comm]' $trail)" \
	'["deny","'$bochs'","minivmm"]' "the audit trail"
equal "$(stat -c %a $root/var/log/ncgate)" 750 "mode of the trail's folder"
equal "$(stat -c %a $root/var/lib/ncgate)" 700 "mode of the state's folder"
has $root/var/lib/ncgate/names '10de:* "NVIDIA Corporation":*'

printf 'mode enforce\ndefault allow\n' > $root/etc/ncgate/policy.conf
inside systemctl reload ncgated.service
generation() { metrics; [ "$(sample ncgate_policy_generation)" = "$1" ]; }
wait_for 10 generation 2
before=$(state ncgated.service MainPID)
inside kill -KILL "$before"
restarted() { shows ncgated.service ActiveState active && ! shows ncgated.service MainPID "$before"; }
wait_for 20 restarted
wait_for 10 generation 2

# It hangs: the gate stands, and it is restarted.
before=$(state ncgated.service MainPID)
printf 'mode enforce\ndefault deny\n' > $root/etc/ncgate/policy.conf
inside systemctl reload ncgated.service
wait_for 10 generation 3
inside kill -STOP "$before"
guest hung --device $bochs --bar 0 --store unaligned
equal "$(result hung)" kvm-error "denied while the daemon hangs"
wait_for 60 restarted
wait_for 20 generation 3
inside systemctl stop ncgated.service
equal "$(state ncgated.service Result)" success "how it ended"
[ -e /sys/fs/bpf/ncgate/links/decide_hook ] || fail "the gate went with the daemon"

# A policy that is none: it does not start and is not tried again and again.
echo 'mode enforced' > $root/etc/ncgate/policy.conf
! inside systemctl start ncgated.service || fail "started with a bad policy"
equal "$(state ncgated.service ExecMainStatus)" 2 "exit status"
equal "$(state ncgated.service NRestarts)" "0" "restarts"
cp $trail "$work/audit.jsonl" # where the runner finds it
power_off
