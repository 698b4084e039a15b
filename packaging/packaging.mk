# SPDX-License-Identifier: GPL-2.0-only
# Packages. Included by the top Makefile, whose VERSION they carry.

.PHONY: deb-dkms check-dkms

# Needs dpkg-deb alone; the result is in build/.
deb-dkms:
	@packaging/dkms/build-deb $(VERSION) build

# Enters the tool root by itself.
check-dkms:
	@tests/dkms/run
