# SPDX-License-Identifier: GPL-2.0-only
# Guests begin, end and are killed, policies come, are refused and go, the daemon is
# ended, killed and begins anew, once more happens than the ring buffer holds: all by
# chance, one thing after the other. The case notes what it does; in the end the audit
# trail must say the same, and so must `ncgate audit --had`.
# limit: 1500
# alone: it takes minutes, so it is run in a boot of its own and only by its name
# seed: what is done follows from it
# kernels: 6.12 6.12-16k 7.3 series
seed=$(cat /ncg/seed)
steps=$(rounds 120 30)
echo "seed $seed"
RANDOM=$seed
trail="--audit $work/audit.jsonl"
journal=$work/journal
device=($ivshmem $bochs $ivshmem2)
id=(1af4:1110 1234:1111 1af4:1110)
bar=(2 0 2)
passthrough "${device[@]}"

note() { echo "$1" >> "$journal"; }
now() { date -u +%FT%T.%6NZ; }
chance() { [ $((RANDOM % 100)) -lt "$1" ]; } # chance PERCENT

# ---- policies. in_force and in_file: what they say of each device, as "VERDICT LINE".
policies=0 generation=0 pending=
in_force=() in_file=()

write_policy() {
	local d fallback=deny verdict line=3
	chance 50 && fallback=allow
	policies=$((policies + 1))
	printf '# policy %d\nmode enforce\ndefault %s\n' $policies $fallback > "$work/policy.conf"
	for d in 0 1 2; do
		in_file[d]="$fallback 0"
		chance 50 || continue
		verdict=allow
		chance 50 && verdict=deny
		line=$((line + 1))
		echo "$verdict ${id[d]} slot=${device[d]}" >> "$work/policy.conf"
		in_file[d]="$verdict $line"
	done
	cp "$work/policy.conf" "$work/good.conf"
}

# A daemon has taken what the file says.
taken() {
	generation=$((generation + 1))
	in_force=("${in_file[@]}")
	pending=
	note '{"policy":'$generation',"sha256":"'$(sha256sum < "$work/policy.conf" | cut -d ' ' -f 1)'"}'
}

reload_good() {
	write_policy
	if [ -z "$daemon_pid" ]; then
		pending=1 # for the next daemon
		return
	fi
	kill -HUP "$daemon_pid"
	wait_for 30 grep -q "in force: generation $((generation + 1))," "$work/ncgated.log"
	taken
}

refusals=0
refused() { [ "$(grep -c "the policy in force stays" "$work/ncgated.log")" = "$refusals" ]; }
reload_bad() {
	[ -n "$daemon_pid" ] || return 0
	echo "allow nothing" >> "$work/policy.conf"
	refusals=$((refusals + 1))
	kill -HUP "$daemon_pid"
	wait_for 30 refused
	cp "$work/good.conf" "$work/policy.conf"
	note '{"refused":true}'
}

# ---- the daemon
daemon_begins() {
	daemon --audit-max-size 128K --audit-keep 0
	note '{"start":'"$daemon_pid"'}'
	stormed=0
	[ -z "$pending" ] || taken
}

daemon_ends() { # daemon_ends SIGNAL
	[ "$1" = KILL ] || note '{"stop":'"$daemon_pid"'}'
	daemon_stop "$1"
}

# ---- guests. Of each that lives: its process, name and device (or none).
guests=0 stormed=0
live=() name_of=() device_of=()

# free_device: one that nobody has, by chance; 3 for none. Of a VM that maps nothing and
# whose beginning and end are lost nothing can tell, so there is none after a storm.
free_device() {
	local d=$((RANDOM % 4)) other
	for other in "${device_of[@]}"; do
		[ "$other" != $d ] || d=3
	done
	chosen=$d
	[ $d$stormed != 31 ] || free_device
}

# launch: begins a guest and does not wait for it. settle: what became of it.
launch() {
	local stat args="--store none"
	guests=$((guests + 1))
	name=g$guests
	free_device
	store=aligned
	chance 50 && store=unaligned
	[ $chosen = 3 ] ||
		args="--device ${device[chosen]} --bar ${bar[chosen]} --store $store"
	begun=$(now)
	minivmm --hold --name $name $args > "$work/$name.json" 2> "$work/$name.err" &
	guest_pid=$!
	read -r stat < "/proc/$guest_pid/stat"
	set -- ${stat##*) }
	guest_id=$guest_pid-${20}
	pids="$pids $guest_pid"
}

settle() {
	local verdict=none line=0 type=none want=ok
	wait_for 60 guest_settled $name "$guest_pid"
	if [ $chosen != 3 ]; then
		read -r verdict line <<< "${in_force[chosen]}"
		type=normal_nc
		[ "$verdict" = allow ] || type=device_nGnRE
		[ "$type $store" != "device_nGnRE unaligned" ] || want=kvm-error
	fi
	equal "$(result $name)" $want "$name on ${device[chosen]:-nothing}"
	note '{"guest":"'"$guest_id"'","name":"'$name'","device":"'"${device[chosen]:-}"'","bar":'"${bar[chosen]:-0}"',
		"verdict":"'$verdict'","line":'"$line"',"generation":'$generation',"type":"'$type'",
		"begun":"'"$begun"'","settled":"'"$(now)"'","step":'$step'}'
	if [ $want = ok ]; then
		live+=("$guest_pid") name_of+=("$guest_id") device_of+=($chosen)
	else
		wait "$guest_pid" || :
		note '{"ended":"'"$guest_id"'","step":'$step'}'
	fi
}

guest_ends() { # guest_ends SIGNAL: of one, by chance
	local i=$((RANDOM % ${#live[@]}))
	kill "-$1" "${live[i]}"
	wait "${live[i]}" 2> /dev/null || :
	note '{"ended":"'"${name_of[i]}"'","step":'$step'}'
	unset "live[i]" "name_of[i]" "device_of[i]"
	live=("${live[@]}") name_of=("${name_of[@]}") device_of=("${device_of[@]}")
}

# More than the ring buffer holds, with nobody to read it.
storm_at=$((steps / 3 + RANDOM % (steps / 3)))
storm() {
	[ -z "$daemon_pid" ] || daemon_ends KILL
	stormed=1
	free_device
	minivmm --device "${device[chosen]}" --bar "${bar[chosen]}" --remap 3000 > "$work/storm.json"
	note '{"storm":true}'
	storm_at=
}

# ---- what is done
step=0
write_policy
pending=1
daemon_begins
note '{"step":0,"time":"'"$(now)"'"}'
for step in $(seq $steps); do
	dice=$((RANDOM % 100))
	if [ "$step" -ge "${storm_at:-$((steps + 1))}" ] && [ ${#live[@]} -lt 3 ]; then
		storm
	elif [ $dice -lt 40 ] && [ ${#live[@]} -lt $((stormed ? 3 : 5)) ]; then
		launch
		# Sometimes killed while there is something to record.
		[ -z "$daemon_pid" ] || ! chance 20 || daemon_ends KILL
		settle
	elif [ $dice -lt 68 ] && [ ${#live[@]} -gt 0 ]; then
		if chance 50; then guest_ends TERM; else guest_ends KILL; fi
	elif [ $dice -lt 80 ]; then
		reload_good
	elif [ $dice -lt 84 ]; then
		reload_bad
	elif [ -z "$daemon_pid" ]; then
		daemon_begins
	elif chance 50; then
		daemon_ends TERM
	else
		daemon_ends KILL
	fi
	note '{"step":'$step',"time":"'"$(now)"'"}'
done
step=$((steps + 1))
[ -n "$daemon_pid" ] || daemon_begins
while [ ${#live[@]} -gt 0 ]; do guest_ends TERM; done
all_ended() { [ "$(cat $(trail_files) | grep -c '"type":"vm_destroy"')" -ge $guests ]; }
wait_for 60 all_ended
daemon_ends TERM
note '{"step":'$step',"time":"'"$(now)"'"}'
echo "$guests guests, $generation policies, $(grep -c '"start"' "$journal") daemons in $SECONDS s"

# ---- what the trail says of it
whole_trail
cat $(trail_files) > "$work/all"
cat > "$work/check.jq" <<'END'
def same($what; $got; $want):
	if $got == $want then empty else "\($what): \($got | tojson), wanted \($want | tojson)" end;
def one($what; $list): if ($list | length) == 1 then empty else "\($what): \($list | length)" end;
[$j[] | select(.guest)] as $guests
| [$t[] | select(.type == "gap")] as $gaps
| (reduce ($t[] | select(.guest.id and (.type | startswith("mismatch") | not))) as $r
	({}; .[$r.guest.id] += [$r])) as $of
| ( same("policies"; [$t[] | select(.type == "policy_load") | [.generation, .sha256]];
		[$j[] | select(.policy) | [.policy, .sha256]]),
	same("refusals"; [$t[] | select(.type == "policy_refused")] | length;
		[$j[] | select(.refused)] | length),
	same("daemons that began"; [$t[] | select(.type == "daemon_start").pid]; [$j[].start // empty]),
	same("daemons that ended"; [$t[] | select(.type == "daemon_stop").pid]; [$j[].stop // empty]),
	same("gaps"; ($gaps | length > 0); ([$j[] | select(.storm)] | length > 0)),
	same("guests"; [$t[] | select(.type == "vm_create" or .type == "vm_found" or
		.type == "vm_destroy").guest.id] | unique; [$guests[].guest] | unique),
	( $guests[] | . as $g | ($of[.guest] // []) as $r
	| any($gaps[]; .since < $g.settled and .until > $g.begun) as $hidden
	| [$r[] | select(.type == "vm_create" or .type == "vm_found")] as $begin
	| [$r[] | select(.type == "decision")] as $decided
	| [$r[] | select(.type == "stage2_first" or .type == "found_mapped")] as $first
	| [$r[] | select(.type == "vm_destroy")] as $ended
	| (if .device == "" then 0 else 1 end) as $devices
	| same("\(.name): names"; [$r[].guest.name | select(. != "" and . != $g.name)]; []),
	  one("\(.name): ends"; $ended),
	  same("\(.name): what it had"; [$ended[].mapped[] | [.device.slot, .device.bar, .memory_type]];
		if $devices == 1 then [[.device, .bar, .type]] else [] end),
	  same("\(.name): VMs"; [($begin, $first, $ended)[].vm] | unique | length; 1),
	  same("\(.name): changes"; [$r[] | select(.type == "type_change")]; []),
	  if $hidden then empty else
		one("\(.name): beginnings"; $begin),
		same("\(.name): decisions"; [$decided[] | [.device.slot, .device.bar, .verdict,
			.policy.generation, .rule.line // 0]];
			if $devices == 1 then [[.device, .bar, .verdict, .generation, .line]] else [] end),
		same("\(.name): first mappings"; [$first[] | [.device.slot, .device.bar, .memory_type]];
			if $devices == 1 then [[.device, .bar, .type]] else [] end)
	  end
	)
)
END
jq -nr --slurpfile t "$work/all" --slurpfile j "$journal" -f "$work/check.jq" > "$work/faults"
[ ! -s "$work/faults" ] || { cat "$work/faults" >&2; fail "the trail is not what was done"; }

# ---- who had what, between two moments at which nothing went on
had() { # had TYPE DEVICE FROM TO, two steps: by the journal, or `?` where an end was lost
	jq -nr --slurpfile t "$work/all" --slurpfile j "$journal" --arg type $1 --arg device $2 \
		--argjson from $3 --argjson to $4 '
		([$j[] | select(.ended) | {key: .ended, value: .step}] | from_entries) as $ended
		| ([$t[] | select(.type == "vm_destroy" and .source).guest.id]) as $unsure
		| [$j[] | select(.guest and .type == $type and .device == $device)
			| select(.step <= $to and $ended[.guest] > $from).guest] - $unsure | sort | join(" ")'
}
answer() {
	local at=$(jq -r "select(.step == $3 and .time).time" "$journal")
	local to=$(jq -r "select(.step == $4 and .time).time" "$journal")
	ncgate audit $trail --had $1 --device $2 --since "$at" --until "$to" --json 2>> "$work/ncgate.err" |
		jq -r --slurpfile t "$work/all" '
		([$t[] | select(.type == "vm_destroy" and .source).guest.id]) as $unsure
		| [.had[].guest.id] - $unsure | sort | join(" ")'
}
asked=0 named=0
for i in $(seq 12); do
	from=$((RANDOM % steps))
	to=$((from + RANDOM % (steps - from) + 1))
	d=$((RANDOM % 3))
	type=normal_nc
	chance 25 && type=device_nGnRE
	want=$(had $type ${device[d]} $from $to)
	equal "$(answer $type ${device[d]} $from $to)" "$want" \
		"who had $type on ${device[d]} between the steps $from and $to"
	asked=$((asked + 1))
	named=$((named + $(wc -w <<< "$want")))
done
echo "$asked questions answered, $named guests in them"
[ $named -gt 0 ] || fail "no guest in any answer, so they show nothing"
