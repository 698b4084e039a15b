# SPDX-License-Identifier: GPL-2.0-only
# nvgrace-gpu and vfio-pci-core as they are in mainline: its RESMEM is mapped by the driver
# itself, Normal-NC whatever the policy says; what the policy says of it is recorded.
# alone: the kernel has less memory than the machine
# memory: 3648
# append: mem=2048M
# kernels: 6.12 7.3
# hook: no
# needs: nvgrace
base=$((0xc0000000)) # the machine's RAM begins at 1 GiB
vfio_load
insmod /ncg/nvgrace/gpu_firmware.ko slot=$bochs base=$base size=$((0x64000000))
insmod /ncg/nvgrace/stock/nvgrace-gpu-vfio-pci.ko
echo nvgrace_gpu_vfio_pci > /sys/bus/pci/devices/$bochs/driver_override
echo $bochs > /sys/bus/pci/drivers_probe

policy <<-END
	mode enforce
	default allow
	deny 1234:1111 bar=2
END
daemon
guest a --device $bochs --bar 2 --store unaligned
equal "$(result a)" ok "RESMEM that is denied, on a kernel without the hook"
decided='.type == "decision" and .guest.pid == '$guest_pid' and .device.slot == "'$bochs'"
	and .device.bar == 2'
wait_for 10 audit_has "$decided"'and .verdict == "deny" and .grade == "none" and .rule.line == 3'
wait_for 10 audit_has '.type == "stage2_first" and .guest.pid == '$guest_pid'
	and .device.slot == "'$bochs'" and .device.bar == 2 and .memory_type == "normal_nc"'
# Decided once, and of what the driver was asked for.
equal "$(audit "$decided" | jq -c '[.device.driver, .device.bar, .length]')" \
	"$(audit '.type == "bar_mmap" and .guest.pid == '$guest_pid |
		jq -c '[.device.driver, .device.bar, .length]')" "what was decided, and what was mapped"
