# SPDX-License-Identifier: GPL-2.0-only
# Memory that a driver shows as a BAR where PCI knows none: nvgrace-gpu itself, with a GPU's
# memory that is RAM which this kernel was not given. RESMEM, its BAR 2, is decided like any
# BAR, and what a guest has of it is shown, counted and recorded as that BAR of the device,
# also where the guest was there before ncgate.
# alone: the kernel has less memory than the machine
# memory: 3648
# append: mem=2048M
# kernels: 6.12 7.3
# needs: nvgrace
. /ncg/inside/lib-oracle.sh
base=$((0xc0000000)) # the machine's RAM begins at 1 GiB
resmem=$((base + 0x20000000)) # the rest above 512 MiB: no power of two
resmem_size=$((0x44000000))
nvgrace=/sys/bus/pci/drivers/nvgrace_gpu_vfio_pci
vfio_load
insmod /ncg/nvgrace/gpu_firmware.ko slot=$bochs base=$base size=$((0x64000000))
insmod /ncg/nvgrace/nvgrace-gpu-vfio-pci.ko
echo nvgrace_gpu_vfio_pci > /sys/bus/pci/devices/$bochs/driver_override
echo $bochs > /sys/bus/pci/drivers_probe
[ -e $nvgrace/$bochs ] || fail "$bochs is not bound to nvgrace-gpu"
# How PCI itself has BAR 2: it is something else, and somewhere else.
pci_bar=$(sed -n 3p /sys/bus/pci/devices/$bochs/resource | cut -d' ' -f1)

# shown PID: what ncgate walk has of the guest's device memory.
shown() {
	ncgate walk "$1" --json |
		jq -r '.ranges[] | [.device // "none", .bar // "none", .type, .size] | join(" ")' |
		awk '{ size[$1 " " $2 " " $3] += $4 } END { for (k in size) print k, size[k] }' | sort
}
bar_of() { ncgate devices --json | jq -c '.devices[] | select(.device == "'$bochs'")
	| .bars[] | select(.bar == '"$1"') | [.start, .size]'; }

policy <<-END
	mode enforce
	default deny
	allow 1234:1111 bar=2
END
daemon
guest a --device $bochs --bar 2 --store unaligned --touch-pages 4
equal "$(result a)" ok "RESMEM of a device that may have Normal-NC"
a=$guest_pid
shown "$a" > "$work/shown"
read -r size < <(awk '{ print $4 }' "$work/shown")
equal "$(cat "$work/shown")" "$bochs 2 normal_nc $size" "what the guest has"
[ "$size" -gt 0 ] || fail "nothing is mapped"
same_as_oracle "$a" "$(printf %x+%x $resmem $resmem_size)" "RESMEM"
equal "$(sample "ncgate_device_stage2_bytes{guest=\"$(jq -r .guest "$work/walk")\",device=\"$bochs\",bar=\"2\",type=\"normal_nc\"}")" \
	"$size" "the metric"
wait_for 10 audit_has '.type == "decision" and .guest.name == "a" and .device.bar == 2
	and .verdict == "allow"'
wait_for 10 audit_has '.type == "bar_mmap" and .guest.name == "a" and .device.slot == "'$bochs'"
	and .device.bar == 2 and .granted'
wait_for 10 audit_has '.type == "stage2_first" and .guest.name == "a" and .device.slot == "'$bochs'"
	and .device.bar == 2 and .memory_type == "normal_nc"'
first=$(audit '.type == "stage2_first" and .guest.name == "a"')
equal "$(jq -c '[.device.bar_start, .device.bar_size]' <<< "$first")" \
	"[\"$(printf %x $resmem)\",$resmem_size]" "where the record says that BAR 2 is"
equal "$(bar_of 2)" "[\"$(printf %x $resmem)\",$resmem_size]" "where ncgate devices says it is"
end "$a"
wait_for 10 audit_has '.type == "vm_destroy" and .guest.name == "a"
	and any(.mapped[]; .device.slot == "'$bochs'" and .device.bar == 2)'

# A child does not inherit it.
guest inherit --inherit 65534 --device $bochs --bar 2 --store unaligned
equal "$(result inherit)" kvm-error "RESMEM that was granted to the parent"
end "$guest_pid" # the parent has the device until then

# USEMEM, BAR 4, is mapped cacheable by the VMM; nobody is asked about it. Where KVM makes
# Device of that (6.12), it is shown as the device's.
guest b --device $bochs --bar 4 --store aligned --touch-pages 4
equal "$(result b)" ok "USEMEM"
shown "$guest_pid" > "$work/shown"
saw "nvgrace-gpu's USEMEM" "$(cut -d' ' -f3 "$work/shown")"
case $release in
6.12.*) equal "$(cut -d' ' -f1-3 "$work/shown")" "$bochs 4 device_nGnRE" "what the guest has" ;;
esac
end "$guest_pid"

# Denied it cannot be used, and the guest's end tells of Device memory.
sed -i 's/^allow/deny/' "$work/policy.conf"
kill -HUP "$daemon_pid"
wait_for 10 audit_has '.type == "policy_load" and .generation == 2'
guest c --device $bochs --bar 2 --store unaligned
equal "$(result c)" kvm-error "RESMEM that is denied"
wait_for 10 audit_has '.type == "stage2_first" and .guest.name == "c" and .device.slot == "'$bochs'"
	and .device.bar == 2 and .memory_type == "device_nGnRE"'

# Nobody has seen this one come. A driver that leaves a page frame in the mapping (6.12)
# does not tell which BAR it is: then there is its address.
daemon_stop
ncgated --remove-state
guest d --device $bochs --bar 2 --store unaligned --touch-pages 4
equal "$(result d)" ok "RESMEM by the driver's own will"
daemon
case $release in
6.12.*) where="none none" ;;
*) where="$bochs 2" ;;
esac
equal "$(shown "$guest_pid" | cut -d' ' -f1-3)" "$where normal_nc" "what a guest from before has"
end "$guest_pid"

# With another driver the BAR is PCI's again.
guest e --device $bochs --bar 2 --store none --touch-pages 1
end "$guest_pid"
equal "$(bar_of 2)" "[\"$(printf %x $resmem)\",$resmem_size]" "BAR 2 with nvgrace-gpu"
echo $bochs > $nvgrace/unbind
passthrough $bochs
equal "$(bar_of 2 | jq -r '"0x" + .[0] | ascii_downcase')" "$(printf 0x%x "$pci_bar")" \
	"BAR 2 with vfio-pci"
