# SPDX-License-Identifier: GPL-2.0-only
# Linux guests under Debian's own QEMU with KVM, in the emulated host. Sourced
# after lib.sh, which ends them by PID.

# linux_guest NAME UUID "DEVICE..." "STORE...": starts a guest with the host's
# devices passed through; what it prints is in $work/NAME.console, what QEMU says
# in $work/NAME.qemu, its PID in $guest_pid.
linux_guest() {
	local name=$1 uuid=$2 args= append="console=ttyAMA0 quiet" d
	for d in $3; do
		args="$args -device vfio-pci,host=$d"
	done
	for d in $4; do
		append="$append ncg.store=$d"
	done
	qemu-system-aarch64 -name "guest=$name" -uuid "$uuid" -nodefaults -display none \
		-M virt,gic-version=host -cpu host -accel kvm -smp 1 -m 192 -no-reboot \
		-kernel /ncg/guest/vmlinuz -initrd /ncg/guest/initrd -append "$append" \
		-serial "file:$work/$name.console" $args > "$work/$name.qemu" 2>&1 &
	guest_pid=$!
	pids="$pids $guest_pid"
}

# console_says NAME TEXT
console_says() { grep -qF -- "$2" "$work/$1.console" 2>/dev/null; }
