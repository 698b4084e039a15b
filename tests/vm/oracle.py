#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What an emulated arm64 host's stage-2 page tables really say, seen from
outside.

The host runs under QEMU with its RAM in a shared file. This program stops the
machine through QEMU's gdb stub, reads the stage-2 registers of each CPU, walks
the tables in the RAM file while nothing can change them, asks QMP where the
PCI BARs are, and resumes the machine. It shares no code with the product whose
answers it checks, and takes every number from the architecture:

    Arm ARM, DDI 0487, chapter D8 "The AArch64 Virtual Memory System
    Architecture" (D8.2 "Translation process", D8.3 "Translation table
    descriptor formats", D8.6 "Memory region attributes"), and the registers'
    own pages in D24 (VTTBR_EL2, VTCR_EL2, HCR_EL2, ID_AA64MMFR2_EL1). Chapter
    numbers as in DDI 0487J and later.

Which tables are found: those in the VTTBR_EL2 of some CPU at a sampling. With
VHE the register keeps a guest's value after the vCPU was put, even when that
guest has long ended and its tables are other data by now. So a table is `live`
only if the CPU was within that guest (HCR_EL2.VM=1, TGE=0), and others are
only named, not walked, unless the caller asks for stale ones as well. Sampling
is repeated, bounded by a deadline, until the caller's condition holds; a guest
that sleeps most of the time is seldom caught, so have it spin.

How it fails: anything not understood is an error or is listed under
`problems` of its table, never left out in silence; a leaf whose encoding the
architecture reserves counts as `other`. Exit status of the command line: 0,
1 for an error, 2 for wrong usage, 4 when --until-device was not seen in time
(the JSON is printed all the same, with "complete": false).
"""

import argparse
import json
import mmap
import os
import re
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from qemu import Gdb, Qmp, QemuError  # noqa: E402

# Where QEMU's `virt` board puts RAM (hw/arm/virt.c, VIRT_MEM).
RAM_BASE = 0x40000000

MEMTYPES = ("normal_wb", "normal_nc", "normal_wt",
            "device_nGnRnE", "device_nGnRE", "device_nGRE", "device_GRE",
            "other")

REGISTERS = ("VTTBR_EL2", "VTCR_EL2", "HCR_EL2", "ID_AA64MMFR2_EL1")

# HCR_EL2: VM is bit 0, TGE bit 27, FWB bit 46.
HCR_VM = 1 << 0
HCR_TGE = 1 << 27
HCR_FWB = 1 << 46


class OracleError(Exception):
    """The registers or tables describe something that cannot be walked."""


def bits(value, high, low):
    """Bits [high:low] of value."""
    return value >> low & (1 << high - low + 1) - 1


class Ram:
    """The machine's RAM: a file, mapped read-only, at a physical address."""

    def __init__(self, path, base=RAM_BASE):
        self.base = base
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED,
                                  mmap.PROT_READ)
        self.size = len(self._map)

    def close(self):
        self._map.close()

    def words(self, address, count):
        """`count` 64-bit little-endian words, or None outside RAM."""
        start = address - self.base
        if start < 0 or start + 8 * count > self.size:
            return None
        return struct.unpack_from(f"<{count}Q", self._map, start)


class Geometry:
    """How VTCR_EL2 says that the tables are laid out.

    TG0 [15:14]: 00 4 KiB, 01 64 KiB, 10 16 KiB. T0SZ [5:0]: the input address
    has 64 - T0SZ bits. SL0 [7:6] with SL2 [33], which counts only for 4 KiB
    with DS: the level of the first lookup. DS [32]: 52-bit output addresses
    for 4 and 16 KiB (FEAT_LPA2). PS [18:16]: 0b110 means 52-bit physical
    addresses. (D24, VTCR_EL2.)
    """

    # VTCR_EL2.SL0: level of the first lookup, by granule.
    _START = {
        12: {0: 2, 1: 1, 2: 0, 3: 3},
        14: {0: 3, 1: 2, 2: 1, 3: 0},
        16: {0: 3, 1: 2, 2: 1},
    }

    def __init__(self, vtcr):
        granule = {0: 12, 1: 16, 2: 14}.get(bits(vtcr, 15, 14))
        if granule is None:
            raise OracleError(f"VTCR_EL2 {vtcr:#x}: reserved TG0")
        self.page_shift = granule
        self.page_size = 1 << granule
        # A table fills one granule with 8-byte descriptors.
        self.stride = granule - 3
        self.ia_bits = 64 - bits(vtcr, 5, 0)
        self.lpa2 = bool(bits(vtcr, 32, 32)) and granule != 16
        self.pa52 = bits(vtcr, 18, 16) == 6
        sl0 = bits(vtcr, 7, 6)
        if granule == 12 and self.lpa2 and bits(vtcr, 33, 33):
            if sl0:
                raise OracleError(f"VTCR_EL2 {vtcr:#x}: SL2 with SL0={sl0}")
            self.start_level = -1
        else:
            start = self._START[granule].get(sl0)
            if start is None:
                raise OracleError(f"VTCR_EL2 {vtcr:#x}: reserved SL0")
            if granule == 14 and start == 0 and not self.lpa2:
                raise OracleError(f"VTCR_EL2 {vtcr:#x}: level 0 without DS")
            self.start_level = start
        # D8.2 "Concatenated translation tables": the first lookup may resolve
        # up to four bits more than one table does, with up to 16 tables in a
        # row.
        self.root_bits = self.ia_bits - self.shift(self.start_level)
        if not 1 <= self.root_bits <= self.stride + 4:
            raise OracleError(f"VTCR_EL2 {vtcr:#x}: T0SZ does not fit SL0")

    def shift(self, level):
        """The input address bits below those that `level` resolves."""
        return self.page_shift + self.stride * (3 - level)

    def block_allowed(self, level):
        """D8.3 "VMSAv8-64 Block descriptor": which levels have blocks."""
        if self.page_shift == 12:
            return level in (1, 2) or level == 0 and self.lpa2
        if self.page_shift == 14:
            return level == 2 or level == 1 and self.lpa2
        # 64 KiB: level 1 blocks come with 52-bit addresses (FEAT_LPA).
        return level == 2 or level == 1 and self.pa52

    def output(self, descriptor, shift):
        """The address in a descriptor, its bits from `shift` up.

        D8.3: OA[47:shift] in place. With DS, OA[49:shift] in place and
        OA[51:50] in bits [9:8]. With 64 KiB and 52-bit addresses, OA[51:48]
        in bits [15:12].
        """
        if self.lpa2:
            address = bits(descriptor, 49, shift) << shift
            return address | bits(descriptor, 9, 8) << 50
        address = bits(descriptor, 47, shift) << shift
        if self.page_shift == 16 and self.pa52:
            address |= bits(descriptor, 15, 12) << 48
        return address

    def root(self, vttbr):
        """The address of the first table (D24, VTTBR_EL2.BADDR).

        Bits [47:x], where x follows from the table's size because the table
        is aligned to it. With 52-bit physical addresses x is 6 or more and
        A[51:48] is in bits [5:2].
        """
        low = max(self.root_bits + 3, 6 if self.pa52 else 0)
        address = bits(vttbr, 47, low) << low
        if self.pa52:
            address |= bits(vttbr, 5, 2) << 48
        return address


def memtype(attr, fwb):
    """The name of a stage-2 MemAttr value, descriptor bits [5:2].

    D8.6, "Stage 2 memory type and Cacheability attributes": when HCR_EL2.FWB
    is 0, 0b00xx is Device by xx, else bits [3:2] are the outer and [1:0] the
    inner cacheability (01 Non-cacheable, 10 Write-Through, 11 Write-Back).
    When FWB is 1, bit [3] is zero, 0b00xx is Device by xx, 0b0101 Normal
    Non-cacheable, 0b0110 Normal Write-Back; 0b0111 leaves it to stage 1 and
    has no name here.
    """
    if attr < 4:
        return ("device_nGnRnE", "device_nGnRE",
                "device_nGRE", "device_GRE")[attr]
    if fwb:
        return {0b0101: "normal_nc", 0b0110: "normal_wb"}.get(attr, "other")
    return {0b0101: "normal_nc", 0b1010: "normal_wt",
            0b1111: "normal_wb"}.get(attr, "other")


class Walk:
    """One pass over one stage-2 table.

    leaves:   coalesced, in input address order, each a dict of ipa, pa, size,
              leaf_size and memtype
    problems: what could not be read or is reserved, as sentences
    """

    # More complaints than these say nothing new about a freed table.
    MAX_PROBLEMS = 20

    def __init__(self, ram, vttbr, vtcr, fwb):
        self._ram = ram
        self._fwb = fwb
        self._geometry = Geometry(vtcr)
        self.base = self._geometry.root(vttbr)
        self.leaves = []
        self.problems = []
        self.problem_count = 0
        self._visited = set()
        geometry = self._geometry
        self._table(self.base, geometry.start_level, 0,
                    1 << geometry.root_bits)

    def _problem(self, text):
        self.problem_count += 1
        if len(self.problems) < self.MAX_PROBLEMS:
            self.problems.append(text)

    def _table(self, address, level, ipa, count):
        # A stage-2 tree shares no table; freed memory may well loop. This
        # also bounds the walk by the size of RAM.
        if address in self._visited:
            self._problem(f"level {level} table at {address:#x} "
                          "is met a second time")
            return
        self._visited.add(address)
        words = self._ram.words(address, count)
        if words is None:
            self._problem(f"level {level} table at {address:#x} "
                          "is outside RAM")
            return
        geometry = self._geometry
        shift = geometry.shift(level)
        for index, descriptor in enumerate(words):
            # Bit 0 clear: invalid. Software may keep notes in the rest.
            if not descriptor & 1:
                continue
            here = ipa + (index << shift)
            table_or_page = descriptor & 2
            if level < 3 and table_or_page:
                self._table(geometry.output(descriptor, geometry.page_shift),
                            level + 1, here, 1 << geometry.stride)
            elif level == 3 and table_or_page or \
                    level < 3 and geometry.block_allowed(level):
                self._leaf(here, geometry.output(descriptor, shift),
                           1 << shift, memtype(bits(descriptor, 5, 2),
                                               self._fwb))
            else:
                self._problem(f"reserved descriptor {descriptor:#x} at level "
                              f"{level}, IPA {here:#x}")

    def _leaf(self, ipa, pa, size, kind):
        last = self.leaves[-1] if self.leaves else None
        if last and last["memtype"] == kind and last["leaf_size"] == size \
                and last["ipa"] + last["size"] == ipa \
                and last["pa"] + last["size"] == pa:
            last["size"] += size
        else:
            self.leaves.append({"ipa": ipa, "pa": pa, "size": size,
                                "leaf_size": size, "memtype": kind})

    def totals(self):
        """Bytes by memory type, and leaves and bytes by leaf size."""
        by_memtype = {}
        by_leaf_size = {}
        for leaf in self.leaves:
            kind, size = leaf["memtype"], leaf["leaf_size"]
            by_memtype[kind] = by_memtype.get(kind, 0) + leaf["size"]
            entry = by_leaf_size.setdefault(str(size),
                                            {"leaves": 0, "bytes": 0})
            entry["leaves"] += leaf["size"] // size
            entry["bytes"] += leaf["size"]
        return {"by_memtype": by_memtype, "by_leaf_size": by_leaf_size}

    def describe(self):
        """A dict for the report; the caller adds whose table it is."""
        geometry = self._geometry
        return {"base": self.base, "page_size": geometry.page_size,
                "ipa_bits": geometry.ia_bits,
                "start_level": geometry.start_level,
                "root_tables": 1 << max(0, geometry.root_bits -
                                        geometry.stride),
                "lpa2": geometry.lpa2, "fwb": self._fwb,
                "leaves": self.leaves, "totals": self.totals(),
                "problems": self.problems,
                "problem_count": self.problem_count}


def pci_bars(buses):
    """All memory BARs in the answer of QMP `query-pci`, bridges included.

    `address` is None while the function does not decode it (QEMU says -1).
    """
    found = []
    for bus in buses:
        for device in bus.get("devices", []):
            slot = "0000:%02x:%02x.%x" % (device["bus"], device["slot"],
                                          device["function"])
            ident = "%04x:%04x" % (device["id"]["vendor"],
                                   device["id"]["device"])
            for region in device.get("regions", []):
                if region["type"] != "memory":
                    continue
                address = region["address"]
                if address in (-1, 2 ** 64 - 1):
                    address = None
                found.append({"slot": slot, "id": ident,
                              "bar": region["bar"], "address": address,
                              "size": region["size"],
                              "prefetch": region.get("prefetch", False)})
            if "pci_bridge" in device:
                found += pci_bars([device["pci_bridge"]])
    return found


def mapped_bytes(leaves, address, size):
    """Bytes of a physical range that leaves map, by memory type."""
    total = {}
    for leaf in leaves:
        low = max(leaf["pa"], address)
        high = min(leaf["pa"] + leaf["size"], address + size)
        if low < high:
            kind = leaf["memtype"]
            total[kind] = total.get(kind, 0) + high - low
    return total


class Oracle:
    """Samples a machine.

    During one observe() a table that was seen once stays in the report, with
    the newest live dump of it (or, if it never was live, the newest);
    `sample` says which sampling that was.
    """

    def __init__(self, ram, gdb, qmp, ram_base=RAM_BASE, timeout=10.0,
                 stale=False, memory=None):
        """ram, gdb, qmp: paths. timeout: seconds for each single answer.
        stale: walk and count tables that are not live as well.
        memory: START+SIZE, bytes in hex: a physical range to be looked for
        like a device's BAR, and named by that."""
        self._ram = Ram(ram, ram_base)
        self._gdb_path = gdb
        self._timeout = timeout
        self._stale = stale
        self._qmp = Qmp(qmp, timeout)
        self._bars = {}
        if memory:
            start, size = (int(text, 16) for text in memory.split("+"))
            self._bars[memory] = {"slot": memory, "id": memory, "bar": 0,
                                  "address": start, "size": size,
                                  "prefetch": True}
        self._forget()

    def _forget(self):
        self._tables = {}
        self._not_live = set()
        self._problems = set()
        self._samples = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._qmp.close()
        self._ram.close()

    def _sample(self, gdb):
        """Looks at the stopped machine once."""
        self._samples += 1
        for bar in pci_bars(self._qmp.command("query-pci")):
            key = bar["slot"], bar["bar"]
            known = self._bars.get(key)
            # A function that is just being reset keeps its address.
            if bar["address"] is None and known:
                bar["address"] = known["address"]
            self._bars[key] = bar
        seen = {}
        for cpu, thread in enumerate(gdb.threads()):
            regs = gdb.registers(thread, REGISTERS)
            hcr = regs["HCR_EL2"]
            live = bool(hcr & HCR_VM) and not hcr & HCR_TGE
            # CnP is bit 0, the VMID bits [63:48]; the rest is the address.
            key = bits(regs["VTTBR_EL2"], 47, 1)
            if not key or key in seen and not live:
                continue
            if not live and not self._stale:
                self._not_live.add(regs["VTTBR_EL2"])
                continue
            # FWB is a bit of the guest's HCR_EL2. In the host's own it may be
            # clear, and then the CPU's ability decides, because KVM uses FWB
            # whenever the CPU has it (ID_AA64MMFR2_EL1.FWB, bits [43:40]).
            fwb = bool(hcr & HCR_FWB) if live else \
                bits(regs["ID_AA64MMFR2_EL1"], 43, 40) != 0
            try:
                walk = Walk(self._ram, regs["VTTBR_EL2"], regs["VTCR_EL2"],
                            fwb)
            except OracleError as error:
                # Outside a guest VTCR_EL2 need not belong to VTTBR_EL2.
                if live:
                    raise
                self._problems.add(f"table at {key << 1:#x}: {error}")
                continue
            seen[key] = {"vttbr": regs["VTTBR_EL2"],
                         "vmid": bits(regs["VTTBR_EL2"], 63, 48),
                         "vtcr": regs["VTCR_EL2"], "hcr": hcr, "cpu": cpu,
                         "live": live, "sample": self._samples,
                         **walk.describe()}
        for key, table in seen.items():
            before = self._tables.get(key)
            if table["live"] or not before or not before["live"]:
                self._tables[key] = table

    def report(self):
        """What has been seen up to now, ready for json.dumps()."""
        devices = []
        for bar in self._bars.values():
            by_table = {}
            total = {}
            if bar["address"] is not None:
                for table in self._tables.values():
                    mapped = mapped_bytes(table["leaves"], bar["address"],
                                          bar["size"])
                    if mapped:
                        by_table[hex(table["base"])] = mapped
                    for kind, size in mapped.items():
                        total[kind] = total.get(kind, 0) + size
            devices.append({**bar, "mapped": total, "by_table": by_table})
        return {"samples": self._samples,
                "problems": sorted(self._problems),
                "not_live": sorted(self._not_live -
                                   {table["vttbr"] for table in
                                    self._tables.values()}),
                "tables": list(self._tables.values()), "devices": devices}

    def observe(self, until=None, timeout=30.0, interval=0.05):
        """Samples until `until(report)` is true or `timeout` seconds passed.

        Between samplings the machine runs for `interval` seconds. Without
        `until` one sampling is enough. Returns (report, whether `until`
        held). The machine runs again afterwards, in every case. What an
        earlier observe() saw is forgotten, but for the BARs' addresses.
        """
        self._forget()
        deadline = time.monotonic() + timeout
        with Gdb(self._gdb_path, self._timeout) as gdb:
            while True:
                self._sample(gdb)
                report = self.report()
                if until is None or until(report):
                    return report, True
                if time.monotonic() >= deadline:
                    return report, False
                gdb.resume()
                time.sleep(interval)
                gdb.stop()


def device_mapped(*which):
    """A condition for observe(): of each one of `which`, VVVV:DDDD or
    DDDD:BB:DD.F, some BAR is mapped; or of START+SIZE, some part.
    ValueError if one is none of these."""
    which = [text.lower() for text in which]
    for text in which:
        if not re.fullmatch(r"[0-9a-f]{4}:([0-9a-f]{4}|"
                            r"[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])|"
                            r"[0-9a-f]+\+[0-9a-f]+", text):
            raise ValueError(f"'{text}' is not VVVV:DDDD, DDDD:BB:DD.F or "
                             "START+SIZE")

    def condition(report):
        return all(any(device["mapped"] and text in (device["id"],
                                                     device["slot"])
                       for device in report["devices"]) for text in which)

    return condition


def observe(ram, gdb, qmp, device=None, timeout=30.0, **options):
    """One observation of a machine; the arguments are paths.

    device: sample until a BAR of this one (VVVV:DDDD or DDDD:BB:DD.F), or a
    part of this memory (START+SIZE, hex) is mapped; without it, one sampling.
    Returns the report with `complete`,
    which says whether that was seen within `timeout` seconds. `options` are
    Oracle's.
    """
    until = device_mapped(device) if device else None
    memory = device if device and "+" in device else None
    with Oracle(ram, gdb, qmp, memory=memory, **options) as machine:
        report, complete = machine.observe(until, timeout)
    return {"complete": complete, **report}


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description="Prints the stage-2 page tables of an emulated arm64 "
                    "host as JSON.")
    parser.add_argument("--ram", required=True, metavar="FILE",
                        help="the machine's RAM, a shared file")
    parser.add_argument("--gdb", required=True, metavar="SOCK",
                        help="unix socket of QEMU's gdb stub")
    parser.add_argument("--qmp", required=True, metavar="SOCK",
                        help="unix socket of QMP")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S",
                        help="how long to look for --until-device (30)")
    parser.add_argument("--until-device", action="append", default=[],
                        metavar="DEVICE",
                        help="sample until a BAR of it is mapped; VVVV:DDDD "
                             "or DDDD:BB:DD.F, repeatable")
    parser.add_argument("--stale", action="store_true",
                        help="walk and count tables even if no CPU was "
                             "caught within their guest")
    parser.add_argument("--no-leaves", action="store_true",
                        help="leave the single leaves out of the output")
    args = parser.parse_args(argv)
    try:
        args.until = device_mapped(*args.until_device) \
            if args.until_device else None
    except ValueError as error:
        parser.error(f"--until-device: {error}")
    return args


def main(argv=None):
    args = parse_arguments(argv)
    # Whoever ends this program early gets a running machine back as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with Oracle(args.ram, args.gdb, args.qmp,
                    stale=args.stale) as machine:
            report, complete = machine.observe(args.until, args.timeout)
    except (OracleError, QemuError, OSError) as error:
        print(f"oracle: {error}", file=sys.stderr)
        return 1
    if args.no_leaves:
        for table in report["tables"]:
            del table["leaves"]
    json.dump({"complete": complete, **report}, sys.stdout, indent=1)
    print()
    return 0 if complete else 4


if __name__ == "__main__":
    sys.exit(main())
