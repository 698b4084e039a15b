#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/audit.schema.json against records: those that test_events and test_losses make by
the daemon's own code, and one of each kind that only a whole daemon writes. Every kind must be
seen, and every record must be refused once it is changed.
"""

import copy
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests"))
import audit_schema

HEAD = {"time": "2026-11-23T07:53:57.565092Z", "boot_ns": 12345678}
SHA256 = "0123456789abcdef" * 4
GUEST = {"id": "185-1068", "pid": 185, "started": HEAD["time"], "start_boot_ns": 10680000000,
         "uid": 64055, "comm": "qemu-system-aar", "vmm": "qemu-system-aarch64", "name": "alpha",
         "uuid": "", "cgroup_id": 2, "cgroup": "/machine.slice", "pod": ""}

# What only a whole daemon writes; the emulated host's runs hold what it does write
# against the same schema.
DAEMON = [
    {"type": "policy_load", "file": "/etc/ncgate/policy.conf", "generation": 1,
     "sha256": SHA256, "mode": "enforce", "default": "deny", "rules": 1},
    {"type": "policy_load", "file": "/etc/ncgate/policy.conf", "generation": 2,
     "sha256": SHA256, "mode": "enforce", "default": "deny", "rules": 2, "names": [
         {"name": '"V":"D"', "vendor_id": "fff0", "device_id": "0001"},
         {"name": '"V":*', "vendor_id": "fff0", "device_id": None, "gone": True}]},
    {"type": "policy_names", "file": "/etc/ncgate/policy.conf", "generation": 2,
     "sha256": SHA256, "names": [
         {"name": '"V":"D"', "vendor_id": "fff0", "device_id": "0003", "change": "moved",
          "before": {"vendor_id": "fff0", "device_id": "0001"}},
         {"name": '"V":*', "vendor_id": "fff0", "device_id": None, "gone": True,
          "change": "gone", "before": {"vendor_id": "fff0", "device_id": None}}]},
    {"type": "policy_refused", "file": "/etc/ncgate/policy.conf", "error": "EINVAL",
     "message": "policy.conf:2:1: 'alow'"},
    {"type": "policy_refused", "file": "/etc/ncgate/policy.conf", "error": "ENOENT",
     "message": None},
    {"type": "daemon_start", "version": "0.1.0", "pid": 99, "grade": "hook",
     "boot_id": "0c3c7d1e-8f44-4f0e-9c0c-8e2b5a0d9f11", "programs": {"decide_hook": "attached"},
     "policy": {"generation": 1, "sha256": SHA256}},
    {"type": "daemon_stop", "pid": 99},
    {"type": "rotation", "previous": "audit.jsonl.20261123T075357.565092Z", "removed": []},
    {"type": "hazard", "hazard": "t410", "unsafe": "normal_nc", "because": "b", "instead": "i",
     "source": "s", "contradictions": [{"cause": "bar", "device": "0000:00:05.0", "bar": 2,
                                        "verdict": "allow", "reason": "default"}]},
    {"type": "gate", "grade": "trap", "bar_mmaps_before": 1, "mapped": [
        {"guest": GUEST, "device": {"slot": "0000:00:05.0", "bar": 2}, "offset": 0,
         "length": 4096, "granted": True}]},
    {"type": "mismatch", "mismatch": "stale", "guest": GUEST, "bytes": 4096,
     "device": {"slot": "0000:00:05.0", "bar": 2}, "verdict": "deny", "reason": "rule",
     "rule": {"file": "/etc/ncgate/policy.conf", "line": 3}, "policy_generation": 2,
     "decided": {"verdict": "allow", "generation": 1, "grade": "hook", "acts": True}},
    {"type": "mismatch_over", "mismatch": "unexpected", "guest": GUEST, "bytes": 4096,
     "phys": "8000000", "verdict": "deny", "reason": "default", "policy_generation": 2,
     "decided": None},
    {"type": "foreign_program", "program": "grant_all", "program_id": 71,
     "tag": "0123456789abcdef", "link_id": 12, "uid": 0, "asked": "before"},
    {"type": "foreign_program_gone", "program": "grant_all", "program_id": 71,
     "tag": "0123456789abcdef", "link_id": 12, "uid": 0, "asked": "alone"},
    {"type": "unreadable_event"},
    {"type": "decision", "seq": 4, "guest": GUEST, "device": {"slot": "0000:00:05.0", "bar": 2},
     "offset": 0, "length": 4096, "verdict": "none", "reason": "kernel default", "mode": "audit",
     "grade": "none", "policy": {"generation": 0, "sha256": SHA256}},
]


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.check = audit_schema.validator()
        with tempfile.TemporaryDirectory() as folder:
            trail = os.path.join(folder, "trail")
            for name in ("test_events", "test_losses"):
                binary = os.path.join(os.environ["NCG_BPF_DIR"], name)
                run = subprocess.run([binary], env=dict(os.environ, NCG_KEEP_TRAIL=trail),
                                     capture_output=True, text=True, check=False)
                if run.returncode or not os.path.exists(trail):
                    raise AssertionError(f"{name}: " + run.stdout + run.stderr)
            cls.faults = audit_schema.faults(trail, cls.check)[1]
            with open(trail, encoding="utf-8") as f:
                cls.events = [r for r in map(json.loads, f) if r]

    def test_records_of_events(self):
        # A line that a full disk cut is what is left of it there: {}.
        bad = [fault for fault in self.faults if not fault.endswith("\n    {}")]
        self.assertEqual(bad, [])
        self.assertGreater(len(self.events), 1000)

    def test_records_of_the_daemon(self):
        for record in DAEMON:
            with self.subTest(record=record):
                self.check.validate(dict(HEAD, **record))

    def test_every_type_was_seen(self):
        known = set(audit_schema.load()["properties"]["type"]["enum"])
        seen = {r["type"] for r in self.events} | {r["type"] for r in DAEMON}
        self.assertEqual(seen, known)

    def test_every_type_of_the_code_is_known(self):
        code = ""
        for path in glob.glob(os.path.join(TOP, "userspace", "*.c")):
            with open(path, encoding="utf-8") as f:
                code += f.read()
        written = set(re.findall(r'(?:ncg_audit_write|ncg_audit_write_kept|make_record|write_record|record_new)'
                                 r'\([^";]*"([a-z0-9_]+)"', code))
        events = re.search(r"ncg_names_event\(__u32 type\)\n{.*?\n}", code, re.S).group(0)
        written |= set(re.findall(r'return "([a-z0-9_]+)"', events))
        self.assertEqual(written, set(audit_schema.load()["properties"]["type"]["enum"]))

    def test_every_type_can_be_asked_for(self):
        with open(os.path.join(TOP, "userspace", "record_text.c"), encoding="utf-8") as f:
            known = re.findall(r'^\t{ "([a-z0-9_]+)", print_', f.read(), re.M)
        self.assertEqual(sorted(known), sorted(audit_schema.load()["properties"]["type"]["enum"]))

    def samples(self):
        """The longest record of each type."""
        best = {}
        for record in self.events + [dict(HEAD, **r) for r in DAEMON]:
            kind = record["type"]
            if kind not in best or len(json.dumps(record)) > len(json.dumps(best[kind])):
                best[kind] = record
        return best.values()

    def refused(self, record):
        return next(self.check.iter_errors(record), None) is not None

    def test_a_missing_member_is_refused(self):
        optional = {"rule", "folded", "before", "device", "ipa", "phys", "size",
                    "began", "began_boot_ns", "source", "seq", "guest", "first_seq", "last_seq",
                    "policy", "bar_mmaps_before", "mapped", "error"}
        for record in self.samples():
            for key in record:
                if key in optional or (record["type"], key) == ("policy_load", "names"):
                    continue
                less = {k: v for k, v in record.items() if k != key}
                with self.subTest(type=record["type"], without=key):
                    self.assertTrue(self.refused(less))

    def test_a_rule_that_is_not_named_is_refused(self):
        record = next(r for r in self.events if r["type"] == "decision" and "rule" in r)
        self.assertTrue(self.refused({k: v for k, v in record.items() if k != "rule"}))

    def test_an_unknown_member_is_refused(self):
        for record in self.samples():
            with self.subTest(type=record["type"]):
                self.assertTrue(self.refused(dict(record, surprise=1)))
            for part in ("guest", "device", "policy", "rule", "folded", "decided"):
                if record.get(part):
                    more = copy.deepcopy(record)
                    more[part]["surprise"] = 1
                    with self.subTest(type=record["type"], within=part):
                        self.assertTrue(self.refused(more))

    def test_a_mismatch_of_no_place_is_refused(self):
        for record in DAEMON:
            if record["type"].startswith("mismatch"):
                less = {k: v for k, v in record.items() if k not in ("device", "phys")}
                with self.subTest(type=record["type"]):
                    self.assertTrue(self.refused(dict(HEAD, **less)))

    def test_an_unknown_type_is_refused(self):
        self.assertTrue(self.refused(dict(HEAD, type="surprise")))
        self.assertTrue(self.refused({}))


if __name__ == "__main__":
    unittest.main()
