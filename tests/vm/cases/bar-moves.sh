# SPDX-License-Identifier: GPL-2.0-only
# A BAR gets another address: the device is taken away and found again, with another
# alignment. Whether ncgated looked in between or not, what a guest maps there is the
# device's, by walk, count and audit, and what is where the BAR was before is not.
# kernels: 6.12 6.12-64k 7.3 series
. /ncg/inside/lib-oracle.sh
alignment=/sys/bus/pci/resource_alignment
bar() { sed -n 3p "/sys/bus/pci/devices/$ivshmem/resource" | cut -d' ' -f1; } # BAR 2's start
move() { # move ALIGNMENT: a power of two, by its exponent; nothing: as it was
	if [ -e /sys/bus/pci/drivers/vfio-pci/$ivshmem ]; then
		echo $ivshmem > /sys/bus/pci/drivers/vfio-pci/unbind
	fi
	echo "$*" > $alignment
	echo 1 > /sys/bus/pci/devices/$ivshmem/remove
	echo 1 > /sys/bus/pci/rescan
}
at_end=move
passthrough $ivshmem
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
daemon
at_first=$(bar)

# look NAME: a guest with the BAR, and everybody's word of where it is.
look() {
	passthrough $ivshmem
	guest "$1" --device $ivshmem --bar 2 --store unaligned
	equal "$(result "$1")" ok "the BAR at $(bar)"
	kill -CONT "$daemon_pid"
	same_as_oracle "$guest_pid" $ivshmem "the BAR at $(bar)"
	equal "$(jq -r '[.ranges[] | .device, "0x\(.phys)"] | join(" ")' "$work/walk")" \
		"$ivshmem $(printf '0x%x' "$(bar)")" "what is walked"
	wait_for 10 audit_has '.type == "stage2_first" and .guest.name == "'"$1"'"
		and .device.slot == "'$ivshmem'" and "0x\(.device.bar_start)" == "'"$(printf '0x%x' "$(bar)")"'"'
	wait_for 10 audit_has '.type == "bar_mmap" and .guest.name == "'"$1"'" and .device.iommu_group'
	end "$guest_pid"
}
look before
move "28@$ivshmem"
second=$(bar)
[ "$second" != "$at_first" ] || fail "the BAR is where it was, $second"
ncgate devices > "$work/devices"
look moved
kill -STOP "$daemon_pid"
move "29@$ivshmem"
[ "$(bar)" != "$second" ] || fail "the BAR is where it was, $second"
look unseen
