# SPDX-License-Identifier: GPL-2.0-only
# Sourced by prepare and verify. say PID TEXT: one line to dkms' make.log (which
# is where standard output goes), to the system log, and to the terminal or pipe
# that process PID (dkms) writes its own errors to. Never fails.
say() {
	local err=/proc/$1/fd/2
	printf 'ncgate-dkms: %s\n' "$2"
	logger -t ncgate-dkms -p user.warning -- "$2" 2>/dev/null || :
	# A plain file stays dkms' own: two writers would overwrite each other.
	if [ -p "$err" ] || [ -c "$err" ]; then
		{ printf '\nncgate-dkms: %s\n' "$2" > "$err"; } 2>/dev/null || :
	fi
}
