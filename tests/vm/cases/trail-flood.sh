# SPDX-License-Identifier: GPL-2.0-only
# A VMM that maps a BAR in a loop, and one that makes VMs in a loop, thousands of times:
# the trail stays small, what each did first is in it, all of it is counted, and nothing
# of another guest is pushed out of files that hold but a few hundred records.
# limit: 300
# kernels: 6.12 6.12-16k 7.3
passthrough $ivshmem $bochs
policy <<-END
	mode enforce
	default deny
	allow 1af4:1110
END
# Three files of so much: without a bound the loops fill hundreds.
daemon --audit-max-size 64K --audit-keep 2
all() { cat $(trail_files) | jq -c "select($1)"; }
all_has() { [ -n "$(all "$1")" ]; }
types_of() { all ".guest.name == \"$1\"" | jq -r .type | paste -sd ' '; }

guest quiet --device $ivshmem --bar 2 --store unaligned
quiet=$guest_pid
equal "$(result quiet)" ok "allowed"
wait_for 10 all_has '.type == "stage2_first" and .guest.name == "quiet"'

rounds=3000
minivmm --name mapper --device $bochs --bar 0 --remap $rounds > "$work/mapper.json"
minivmm --name maker --vms $rounds > "$work/maker.json"
equal "$(cat "$work/mapper.json" "$work/maker.json" | jq .count | paste -sd ' ')" \
	"$rounds $rounds" "the loops"
end "$quiet"
wait_for 30 all_has '.type == "vm_destroy" and .guest.name == "quiet"'
guest after --device $ivshmem --bar 2 --store aligned
end "$guest_pid"
wait_for 30 all_has '.type == "vm_destroy" and .guest.name == "after"'
daemon_stop

# What each did is there from the first on, whatever another does.
for name in quiet after; do
	equal "$(types_of $name)" "vm_create decision bar_mmap stage2_first vm_destroy" "$name's records"
done
equal "$(all '.type == "decision" and .guest.name == "mapper"' | wc -l)" 1 "the mapper's decisions"
made=$(all '.type == "vm_create" and .guest.name == "maker"' | wc -l)
[ "$made" -ge 32 ] && [ "$made" -lt 100 ] || fail "$made of the maker's VMs have a record"
equal "$(all '.type == "vm_destroy" and .guest.name == "maker"' | wc -l)" "$made" "their ends"
has "$work/ncgated.log" "more records than the allowance of a guest"
# All of it, in few bytes.
whole_trail
lost=$(all '.type == "gap"' | jq -s 'map(.lost) | add // 0')
counted=$(all '.type == "repeats"' | jq -s 'map(.count) | add')
echo "$counted counted, $lost lost"
[ "$counted" -gt 0 ] || fail "nothing was counted"
equal "$(all '.type == "repeats"' | jq -s '[.[] | .count == ([.of[].count] | add)] | all')" true \
	"the sums of what is counted"
[ "$lost" -gt 0 ] || equal "$(all '.type == "repeats" and .of' | jq -s '[.[].of[] |
	select(.type == "decision") | .count] | add')" "$rounds" "the mapper's other decisions"
bytes=$(cat $(trail_files) | wc -c)
records=$(cat $(trail_files) | wc -l)
echo "$records records, $bytes bytes"
[ "$bytes" -lt $((192 * 1024)) ] || fail "the trail has $bytes bytes"
equal "$(all '.type == "rotation" and (.removed | length) > 0')" "" "files that were removed"
has <(ncgate audit --audit "$work/audit.jsonl" --type repeats --guest mapper) \
	"decision of mapper $bochs BAR 0 (repeats)"
