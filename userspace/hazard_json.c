// SPDX-License-Identifier: GPL-2.0-only
#include "hazard_json.h"

#include "json.h"

static json_t *conflict_json(const struct ncg_hazard_conflict *conflict)
{
	json_t *json = json_pack("{s:s}", "cause", ncg_hazards_cause(conflict->cause));

	if (!json || conflict->cause != NCG_HAZARD_BAR)
		return json;
	json_object_set_new(json, "device", json_string(conflict->device->address));
	json_object_set_new(json, "bar", json_integer(conflict->bar));
	ncg_json_put_decision(json, &conflict->decision);
	return json;
}

json_t *ncg_hazard_json(const struct ncg_hazard *hazard,
			const struct ncg_hazard_conflict *conflicts, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, conflict_json(&conflicts[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "hazard", hazard->id, "unsafe",
			 ncg_hazards_unsafe(hazard), "because", hazard->because, "instead",
			 hazard->instead, "source", hazard->source, "contradictions", list);
}
