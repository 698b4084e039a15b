#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""audit_schema: holds audit records against docs/audit.schema.json.

As a module for the tests; as a program: audit_schema.py FILE..., exit status 1
when a line is no record by the schema. Needs python3-jsonschema, and fails
without it: a schema that nothing was held against proves nothing.
"""

import json
import os
import sys

import jsonschema

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCHEMA = os.path.join(TOP, "docs", "audit.schema.json")


def load():
    with open(SCHEMA, encoding="utf-8") as f:
        return json.load(f)


def validator():
    schema = load()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def faults(path, check=None):
    """(how many records a file has, what is wrong with which line, a list)."""
    check = check or validator()
    records, found = 0, []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            try:
                record = json.loads(line)
            except ValueError as error:
                found.append(f"{path}:{number}: no JSON: {error}: {line[:200]!r}")
                continue
            records += 1
            error = jsonschema.exceptions.best_match(check.iter_errors(record))
            if error:
                where = "/".join(str(part) for part in error.absolute_path)
                found.append(f"{path}:{number}: {where or 'record'}: {error.message[:300]}\n"
                             f"    {line.rstrip()}")
    return records, found


def main():
    check = validator()
    total, bad = 0, []
    for path in sys.argv[1:]:
        records, found = faults(path, check)
        total += records
        bad += found
    print("\n".join(bad + [f"{total} records, {len(bad)} faults"]))
    return 1 if bad or not total else 0


if __name__ == "__main__":
    sys.exit(main())
