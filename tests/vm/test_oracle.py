#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Unit tests of the oracle, without a machine.

The walker gets RAM files with tables that were worked out by hand from the
Arm ARM; descriptors and registers are written as plain numbers so that no
helper can share a mistake with the code under test. The gdb client talks to a
thread that plays the stub.

How it fails: as any unittest; exit status 1.
"""

import os
import socket
import struct
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import oracle  # noqa: E402
import qemu  # noqa: E402

BASE = 0x40000000

# VTCR_EL2, only the fields that count: T0SZ [5:0], SL0 [7:6], TG0 [15:14],
# PS [18:16], DS [32], SL2 [33].
VTCR_4K_39 = 0x0000_0059        # T0SZ 25, SL0 1: starts at level 1
VTCR_4K_40 = 0x0000_0058        # T0SZ 24: level 1, two tables in a row
VTCR_4K_48 = 0x0000_0090        # T0SZ 16, SL0 2: level 0
VTCR_16K_40 = 0x0000_8058       # TG0 2, T0SZ 24, SL0 1: level 2, 16 tables
VTCR_16K_47 = 0x0000_8091       # TG0 2, T0SZ 17, SL0 2: level 1
VTCR_64K_42 = 0x0000_4056       # TG0 1, T0SZ 22, SL0 1: level 2
VTCR_64K_48 = 0x0000_4090       # TG0 1, T0SZ 16, SL0 2: level 1


class WalkTest(unittest.TestCase):
    """Hand-made tables in a RAM file of 4 MiB at 0x40000000."""

    def setUp(self):
        self.file = tempfile.NamedTemporaryFile()
        self.addCleanup(self.file.close)
        self.file.truncate(4 << 20)

    def put(self, address, *descriptors):
        """Writes descriptors from a physical address on."""
        self.file.seek(address - BASE)
        self.file.write(struct.pack(f"<{len(descriptors)}Q", *descriptors))
        self.file.flush()

    def walk(self, vttbr, vtcr, fwb=False):
        ram = oracle.Ram(self.file.name)
        self.addCleanup(ram.close)
        return oracle.Walk(ram, vttbr, vtcr, fwb)

    def leaves(self, vttbr, vtcr, fwb=False):
        walk = self.walk(vttbr, vtcr, fwb)
        self.assertEqual(walk.problems, [])
        return [(leaf["ipa"], leaf["pa"], leaf["size"], leaf["leaf_size"],
                 leaf["memtype"]) for leaf in walk.leaves]

    # 4 KiB

    def test_4k_page(self):
        # IPA 0x8_8060_5000 is level 1 index 0x22, level 2 index 3, level 3
        # index 5. Attributes 0x1 at [5:2]; AF and S2AP as KVM sets them.
        self.put(0x40000000 + 0x22 * 8, 0x40001003)
        self.put(0x40001000 + 3 * 8, 0x40002003)
        self.put(0x40002000 + 5 * 8, 0x00400080_123454C7)
        self.assertEqual(self.leaves(0x40000000, VTCR_4K_39), [
            (0x880605000, 0x8012345000, 0x1000, 0x1000, "device_nGnRE")])

    def test_4k_blocks(self):
        # Level 1: 1 GiB at index 4; level 2: 2 MiB at index 1.
        self.put(0x40000000, 0x40001003)
        self.put(0x40000000 + 4 * 8, 0x80_4000_07FD)
        self.put(0x40001000 + 1 * 8, 0x80_0020_07D5)
        self.assertEqual(self.leaves(0x40000000, VTCR_4K_39), [
            (0x200000, 0x8000200000, 0x200000, 0x200000, "normal_nc"),
            (0x100000000, 0x8040000000, 0x40000000, 0x40000000,
             "normal_wb")])

    def test_4k_level0(self):
        # IPA 0xF000_0000_0000 is level 0 index 480.
        self.put(0x40000000 + 480 * 8, 0x40001003)
        self.put(0x40001000, 0x40002003)
        self.put(0x40002000, 0x4000_07D5)
        self.assertEqual(self.leaves(0x40000000, VTCR_4K_48), [
            (0xF00000000000, 0x40000000, 0x200000, 0x200000, "normal_nc")])

    def test_4k_level0_block_is_reserved(self):
        self.put(0x40000000, 0x4000_07D5)
        walk = self.walk(0x40000000, VTCR_4K_48)
        self.assertEqual(walk.leaves, [])
        self.assertEqual(walk.problem_count, 1)

    def test_concatenated(self):
        # 40 bits from level 1: 1024 entries in two pages. 0x80_0000_0000 is
        # entry 512, the first of the second page.
        self.put(0x40003000, 0x40004003)        # 0x40002000 + 512 * 8
        self.put(0x40004000, 0x80_0000_07C5)
        self.assertEqual(self.leaves(0x40002000, VTCR_4K_40), [
            (0x8000000000, 0x8000000000, 0x200000, 0x200000,
             "device_nGnRE")])

    def test_root_ignores_vmid_and_cnp(self):
        self.put(0x40002000, 0x40000000_07FD)
        self.assertEqual(self.walk(0x0001_0000_4000_2001, VTCR_4K_40).base,
                         0x40002000)

    # 16 KiB

    def test_16k_page_and_concatenation(self):
        # 40 bits from level 2: shift 25, 15 bits: 32768 entries, 16 tables of
        # 2048. IPA 0x80_0200_4000: level 2 index 0x4001, level 3 index 1.
        self.put(0x40100000 + 0x4001 * 8, 0x40004003)
        self.put(0x40004000 + 8, 0x80_0000_44D7, 0x80_0000_84D7)
        self.assertEqual(self.leaves(0x40100000, VTCR_16K_40), [
            (0x8002004000, 0x8000004000, 0x8000, 0x4000, "normal_nc")])

    def test_16k_block(self):
        # Level 1 has shift 36, level 2 blocks are 32 MiB.
        self.put(0x40000000 + 8, 0x40004003)
        self.put(0x40004000 + 2 * 8, 0x80_0200_07FD)
        self.assertEqual(self.leaves(0x40000000, VTCR_16K_47), [
            (0x1004000000, 0x8002000000, 0x2000000, 0x2000000, "normal_wb")])

    def test_16k_level1_block_is_reserved(self):
        self.put(0x40000000, 0x7FD)
        self.assertEqual(self.walk(0x40000000, VTCR_16K_47).problem_count, 1)

    # 64 KiB

    def test_64k_page(self):
        # Level 2 shift 29, level 3 shift 16, 8192 entries.
        self.put(0x40000000 + 3 * 8, 0x40010003)
        self.put(0x40010000 + 7 * 8, 0x80_0001_07FF)
        self.assertEqual(self.leaves(0x40000000, VTCR_64K_42), [
            (0x60070000, 0x8000010000, 0x10000, 0x10000, "normal_wb")])

    def test_64k_block(self):
        self.put(0x40000000 + 2 * 8, 0x40010003)        # level 1, shift 42
        self.put(0x40010000 + 8, 0x80_2000_07D5)
        self.assertEqual(self.leaves(0x40000000, VTCR_64K_48), [
            (0x80020000000, 0x8020000000, 0x20000000, 0x20000000,
             "normal_nc")])

    def test_64k_52bit_address(self):
        # PS 6: OA[51:48] in [15:12], for pages and for level 1 blocks.
        self.put(0x40000000, 0x40010003, 0x0000_0400_0000_37FD)
        self.put(0x40010000, 0x40020003)
        self.put(0x40020000, 0x0000_0000_0001_57D7)
        self.assertEqual(self.leaves(0x40000000, VTCR_64K_48 | 6 << 16), [
            (0, 0x5000000010000, 0x10000, 0x10000, "normal_nc"),
            (1 << 42, 0x3040000000000, 1 << 42, 1 << 42, "normal_wb")])

    # LPA2

    def test_lpa2_4k(self):
        # DS: OA[49:48] in place, OA[51:50] in [9:8], where SH is otherwise.
        self.put(0x40000000, 0x40001003)
        self.put(0x40001000, 0x40002003)
        self.put(0x40002000, 0x0002_0080_0000_06D5 | 1 << 8 | 1 << 9)
        self.assertEqual(self.leaves(0x40000000, VTCR_4K_48 | 1 << 32), [
            (0, 0xE008000000000, 0x200000, 0x200000, "normal_nc")])

    def test_lpa2_4k_level_minus_1(self):
        # T0SZ 12, SL2, SL0 0: 52 bits, level -1 has 16 entries. Entry 1 is
        # 2^48; a block at level 0 is 512 GiB.
        vtcr = 0x3_0000_000C
        self.put(0x40000000 + 8, 0x40001003)
        self.put(0x40001000 + 2 * 8, 0x80_0000_04FD)
        self.assertEqual(self.leaves(0x40000000, vtcr), [
            ((1 << 48) + (2 << 39), 0x8000000000, 1 << 39, 1 << 39,
             "normal_wb")])

    def test_lpa2_16k(self):
        # T0SZ 12, SL0 3, DS: level 0 (shift 47), a 64 GiB block at level 1.
        vtcr = 0x1_0000_80CC
        self.put(0x40000000 + 3 * 8, 0x40004003)
        self.put(0x40004000 + 8, 0x80_0000_05D5)
        self.assertEqual(self.leaves(0x40000000, vtcr), [
            ((3 << 47) + (1 << 36), 0x4008000000000, 1 << 36, 1 << 36,
             "normal_nc")])

    def test_52bit_root(self):
        geometry = oracle.Geometry(VTCR_4K_48 | 1 << 32 | 6 << 16)
        self.assertEqual(geometry.root(0x40002000 | 0xA << 2),
                         0xA_0000_4000_2000)

    # Registers

    def test_reserved_registers(self):
        for vtcr in (0x0000_C058,       # TG0 3
                     0x0000_40D0,       # 64 KiB with SL0 3
                     0x0000_80CC,       # 16 KiB level 0 without DS
                     0x0000_0010,       # 48 bits from level 2
                     0x3_0000_0050,     # SL2 with SL0 1
                     0):
            with self.subTest(vtcr=hex(vtcr)):
                with self.assertRaises(oracle.OracleError):
                    oracle.Geometry(vtcr)

    # What is wrong in memory

    def test_table_outside_ram(self):
        self.put(0x40000000, 0x3F000003, 0x40400003, 0x4000_07FD)
        walk = self.walk(0x40000000, VTCR_4K_39)
        self.assertEqual(walk.problem_count, 2)
        self.assertIn("outside RAM", walk.problems[0])
        self.assertEqual(len(walk.leaves), 1)

    def test_loop(self):
        self.put(0x40000000, 0x40001003, 0x40001003, 0x40000003)
        walk = self.walk(0x40000000, VTCR_4K_39)
        self.assertEqual(walk.problem_count, 2)
        self.assertIn("second time", walk.problems[0])

    def test_root_outside_ram(self):
        self.assertEqual(self.walk(0x80000000, VTCR_4K_39).problem_count, 1)

    def test_reserved_level3(self):
        self.put(0x40000000, 0x40001003)
        self.put(0x40001000, 0x40002003)
        self.put(0x40002000, 0x4000_07FD)       # bits [1:0] are 01
        walk = self.walk(0x40000000, VTCR_4K_39)
        self.assertEqual(walk.leaves, [])
        self.assertIn("reserved descriptor", walk.problems[0])

    def test_invalid_notes_are_skipped(self):
        # Bit 0 clear: the rest belongs to software.
        self.put(0x40000000, 0xDEADBEEF_00000002)
        self.assertEqual(self.leaves(0x40000000, VTCR_4K_39), [])

    def test_problems_are_bounded_but_counted(self):
        self.put(0x40000000, *[0x3F000003] * 100)
        walk = self.walk(0x40000000, VTCR_4K_39)
        self.assertEqual(walk.problem_count, 100)
        self.assertEqual(len(walk.problems), walk.MAX_PROBLEMS)

    # Coalescing and totals

    def test_coalescing(self):
        self.put(0x40000000, 0x40001003)
        self.put(0x40001000, 0x40002003, 0x4020_07FD)
        self.put(0x40002000 + 510 * 8,
                 0x401F_E7FF,   # IPA 0x1fe000
                 0x401F_F7FF)   # next, contiguous with the block after it too
        walk = self.walk(0x40000000, VTCR_4K_39)
        self.assertEqual([(leaf["ipa"], leaf["size"], leaf["leaf_size"])
                          for leaf in walk.leaves],
                         [(0x1FE000, 0x2000, 0x1000),
                          (0x200000, 0x200000, 0x200000)])
        self.assertEqual(walk.totals(), {
            "by_memtype": {"normal_wb": 0x202000},
            "by_leaf_size": {"4096": {"leaves": 2, "bytes": 0x2000},
                             "2097152": {"leaves": 1, "bytes": 0x200000}}})

    def test_no_coalescing_over_pa_gap_or_type(self):
        self.put(0x40000000, 0x40001003)
        self.put(0x40001000, 0x40002003)
        self.put(0x40002000, 0x4000_07FF, 0x4000_27FF, 0x4000_37D7)
        self.assertEqual(len(self.leaves(0x40000000, VTCR_4K_39)), 3)

    def test_describe(self):
        text = self.walk(0x40002000, VTCR_4K_40, True).describe()
        self.assertEqual((text["base"], text["page_size"], text["ipa_bits"],
                          text["start_level"], text["root_tables"],
                          text["fwb"]),
                         (0x40002000, 4096, 40, 1, 2, True))
        self.assertEqual(
            self.walk(0x40100000, VTCR_16K_40).describe()["root_tables"], 16)
        self.assertEqual(
            self.walk(0x40000000, VTCR_4K_39).describe()["root_tables"], 1)


class MemtypeTest(unittest.TestCase):
    def test_without_fwb(self):
        names = ["device_nGnRnE", "device_nGnRE", "device_nGRE", "device_GRE",
                 "other", "normal_nc", "other", "other",
                 "other", "other", "normal_wt", "other",
                 "other", "other", "other", "normal_wb"]
        self.assertEqual([oracle.memtype(a, False) for a in range(16)], names)

    def test_with_fwb(self):
        names = ["device_nGnRnE", "device_nGnRE", "device_nGRE", "device_GRE",
                 "other", "normal_nc", "normal_wb"] + ["other"] * 9
        self.assertEqual([oracle.memtype(a, True) for a in range(16)], names)

    def test_names_are_known(self):
        for fwb in (False, True):
            for attr in range(16):
                self.assertIn(oracle.memtype(attr, fwb), oracle.MEMTYPES)


class DeviceTest(unittest.TestCase):
    BUSES = [{"devices": [
        {"bus": 0, "slot": 3, "function": 0,
         "id": {"vendor": 0x1af4, "device": 0x1110},
         "regions": [
             {"bar": 0, "type": "memory", "size": 256, "address": -1},
             {"bar": 1, "type": "io", "size": 32, "address": 0x1000},
             {"bar": 2, "type": "memory", "size": 0x1000000,
              "address": 0x8000000000, "prefetch": True}]},
        {"bus": 0, "slot": 4, "function": 0,
         "id": {"vendor": 0x1b36, "device": 0x000c}, "regions": [],
         "pci_bridge": {"devices": [
             {"bus": 1, "slot": 0, "function": 1,
              "id": {"vendor": 0x8086, "device": 0x10d3},
              "regions": [{"bar": 0, "type": "memory", "size": 0x20000,
                           "address": 0x10000000}]}]}}]}]

    def test_bars(self):
        bars = oracle.pci_bars(self.BUSES)
        self.assertEqual([(b["slot"], b["id"], b["bar"], b["address"])
                          for b in bars],
                         [("0000:00:03.0", "1af4:1110", 0, None),
                          ("0000:00:03.0", "1af4:1110", 2, 0x8000000000),
                          ("0000:01:00.1", "8086:10d3", 0, 0x10000000)])

    def test_mapped_bytes(self):
        leaves = [
            {"pa": 0x0FFFF000, "size": 0x3000, "memtype": "device_nGnRE"},
            {"pa": 0x10010000, "size": 0x100000, "memtype": "normal_nc"},
            {"pa": 0x40000000, "size": 0x200000, "memtype": "normal_wb"}]
        self.assertEqual(oracle.mapped_bytes(leaves, 0x10000000, 0x20000),
                         {"device_nGnRE": 0x2000, "normal_nc": 0x10000})
        self.assertEqual(oracle.mapped_bytes(leaves, 0x20000000, 0x1000), {})

    def test_condition(self):
        condition = oracle.device_mapped("1AF4:1110")
        report = {"devices": [
            {"slot": "0000:00:03.0", "id": "1af4:1110", "mapped": {}},
            {"slot": "0000:01:00.1", "id": "8086:10d3",
             "mapped": {"other": 1}}]}
        both = oracle.device_mapped("1af4:1110", "0000:01:00.1")
        self.assertFalse(condition(report))
        self.assertFalse(both(report))
        self.assertTrue(oracle.device_mapped("0000:01:00.1")(report))
        report["devices"][0]["mapped"] = {"normal_nc": 4096}
        self.assertTrue(condition(report))
        self.assertTrue(both(report))

    def test_condition_of_memory(self):
        condition = oracle.device_mapped("e0000000+1000")
        bar = {"slot": "e0000000+1000", "id": "e0000000+1000", "mapped": {}}
        self.assertFalse(condition({"devices": [bar]}))
        bar["mapped"] = {"normal_nc": 4096}
        self.assertTrue(condition({"devices": [bar]}))

    def test_condition_refuses_nonsense(self):
        for text in ("", "1af4", "1af4:*", "0000:00:03", "1af4:11100",
                     "e0000000+", "+1000"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                oracle.device_mapped(text)


class GdbTest(unittest.TestCase):
    """The packet layer, against a thread that answers from a list."""

    def serve(self, script):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "gdb")
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(server.close)
        server.bind(path)
        server.listen(1)
        self.asked = []

        def play():
            conn, _ = server.accept()
            with conn, conn.makefile("rb") as stream:
                for reply in script:
                    byte = stream.read(1)
                    while byte == b"+":
                        byte = stream.read(1)
                    if byte == b"$":
                        text = b""
                        while not text.endswith(b"#"):
                            text += stream.read(1)
                        stream.read(2)
                        self.asked.append(text[:-1].decode())
                        conn.sendall(b"+")
                    else:
                        self.asked.append(byte.hex())
                    if reply is not None:
                        conn.sendall(b"$%s#%02x"
                                     % (reply, sum(reply) & 0xFF))

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        return path

    def test_registers_stop_and_resume(self):
        features = b'l<?xml version="1.0"?><target>' \
            b'<xi:include href="a.xml"/><xi:include href="b.xml"/></target>'
        first = b'l<feature name="a"><reg name="x0" bitsize="64"/>' \
            b'<reg name="cpsr" bitsize="32"/></feature>'
        second = b'l<feature name="b"><reg name="HCR_EL2" bitsize="64" ' \
            b'regnum="200"/><reg name="NEXT" bitsize="64"/></feature>'
        # 0x7d escapes the next byte, which comes as its XOR with 0x20.
        second = second.replace(b"NEXT", b"N}\x65XT")
        path = self.serve([
            b"PacketSize=1000", b"T05thread:01;", b"m01", b"m02", b"l",
            features, first, second, b"OK", b"0100000008000000",
            b"0000000000000000", None, b"T02thread:01;", b"OK"])
        with qemu.Gdb(path, 5) as gdb:
            self.assertEqual(gdb.threads(), ["01", "02"])
            self.assertEqual(gdb.registers("01", ["HCR_EL2", "NEXT"]),
                             {"HCR_EL2": 0x8_0000_0001, "NEXT": 0})
            gdb.resume()
            with self.assertRaises(qemu.QemuError):
                gdb.registers("01", ["HCR_EL2"])
            gdb.stop()
        self.assertEqual(self.asked[-6:],
                         ["Hg01", "pc8", "pc9", "c", "03", "D"])

    def test_unknown_register(self):
        path = self.serve([b"", b"T05", b'l<target></target>', b"OK", b"OK"])
        with qemu.Gdb(path, 5) as gdb:
            with self.assertRaisesRegex(qemu.QemuError, "HCR_EL2"):
                gdb.registers("01", ["HCR_EL2"])

    def test_closed_connection(self):
        path = self.serve([b""])
        with self.assertRaises(qemu.QemuError):
            qemu.Gdb(path, 5)

    def test_no_socket(self):
        with self.assertRaises(qemu.QemuError):
            qemu.Gdb("/nonexistent/gdb", 0.1)


if __name__ == "__main__":
    unittest.main()
