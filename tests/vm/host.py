# SPDX-License-Identifier: GPL-2.0-only
"""The emulated arm64 host: one QEMU process, its sockets and its folders.

Host owns the QEMU process and the run folder. It starts the machine, answers
the oracle requests that come from inside, and ends it. Whatever goes wrong
(QEMU exits early, a limit passes) raises HostError; nothing is taken for a
success because nothing was heard.
"""

import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import oracle
from qemu import Qmp

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VM = os.path.join(TOP, "tests", "vm")

# The passthrough devices of every run. Slots are fixed so that policies and
# tests can name them; each has a 16 MiB prefetchable BAR with memory behind it,
# so that what a guest stores there can be read back.
DEVICES = {
    "0000:00:05.0": ("1af4:1110", "ivshmem-plain,memdev=shm0,addr=5"),
    "0000:00:06.0": ("1234:1111", "bochs-display,addr=6,romfile="),
    "0000:00:07.0": ("1af4:1110", "ivshmem-plain,memdev=shm1,addr=7"),
}

# What is plugged in while the host runs, into its root port. The port needs room for
# the BAR from the start, and ACS, which Linux turns on too late for it here: without,
# the two share an IOMMU group, and a guest with the one gets the other's interrupts.
PLUGGED = {"driver": "nvme", "serial": "0", "cmb_size_mb": 16, "bus": "slot9", "id": "plugged"}
ROOT_PORT = "pcie-root-port,id=slot9,addr=9,chassis=1,slot=1"
PLUG_READY = "pci=hpmmioprefsize=32M,config_acs=111x1@0000:00:09.0"

# Debian's kernels for which vfio-pci-core can be rebuilt with the hook.
HOOKED = ("6.12", "6.12-16k", "7.3")

# What must not be in the kernel log of a good run.
SPLATS = re.compile(
    r"WARNING: |BUG: |Oops|Kernel panic|INFO: (possible|task|rcu)|lockdep|"
    r"KASAN|UBSAN|Call trace:|soft lockup|detected stall")


# Asked to end, end as on an error: the machine and its RAM file go as well.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))


def _die_with_parent():
    """In the child: no machine outlives its runner, however that ends."""
    pr_set_pdeathsig = 1  # include/uapi/linux/prctl.h
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class HostError(Exception):
    """The machine could not be started, stopped early or took too long."""


def build(script, *args):
    """Runs one of the tests/vm scripts and returns the path it prints."""
    out = subprocess.run([os.path.join(VM, script), *args], check=True,
                         stdout=subprocess.PIPE, text=True)
    return out.stdout.strip().splitlines()[-1]


class Host:
    """One emulated host. Use as a context manager: leaving it ends QEMU."""

    def __init__(self, run_dir, kernel="6.12", cpu="max", gic="3", hook=True,
                 memory_mib=2048, forward=None, extra=(), append="", icount=False):
        self.dir = run_dir
        self.share = os.path.join(run_dir, "share")
        self.kernel = kernel
        self.cpu = cpu
        self.gic = gic
        self.hook = hook
        self.memory_mib = memory_mib
        self.forward = forward  # (port on this machine, port on the host)
        self.extra = list(extra)
        self.append = append
        # Guest time as a count of instructions: 2 ns each, the same in every
        # run. Alignment is not enforced then, so only for benchmarks.
        self.icount = icount
        self.process = None
        self.requests = b""
        # Two machines in one run folder would each remove the other's files.
        os.makedirs(os.path.dirname(run_dir), exist_ok=True)
        self.lock = open(run_dir + ".lock", "wb")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HostError(f"another run is in {run_dir}") from None
        # Unix socket paths are short; the run folder's may not be.
        self.sockets = tempfile.mkdtemp(prefix="ncg-vm-")
        # The machine's RAM as a file, for the oracle; in memory, not on disk.
        handle, self.ram = tempfile.mkstemp(prefix="ncg-ram-", dir="/dev/shm")
        os.close(handle)
        shutil.rmtree(run_dir, ignore_errors=True)
        os.makedirs(self.share)

    def path(self, name):
        return os.path.join(self.sockets, name)

    @property
    def console(self):
        return os.path.join(self.dir, "console.log")

    def populate(self, build_dir):
        """Fills the shared folder with what runs inside the host."""
        for folder in ("cases", "logs"):
            os.makedirs(os.path.join(self.share, folder))
        inside = os.path.join(self.share, "inside")
        shutil.copytree(os.path.join(VM, "inside"), inside)
        shutil.copy(os.path.join(inside, "init"), self.share)
        for name in ("policy.conf", "hazards.conf"):
            shutil.copy(os.path.join(TOP, name), self.share)
        shutil.copy(os.path.join(TOP, "packaging", "systemd", "ncgated.service"), self.share)
        for part in ("bin", "guest"):
            shutil.copytree(os.path.join(build_dir, "arm64", part),
                            os.path.join(self.share, part))

    def start(self):
        kernel = build("kernel", self.kernel)
        # A kernel that was built with its series needs no other module.
        own = self.kernel.endswith(("series", "64k"))
        core = [build("hook-module", self.kernel)] if self.hook and not own else []
        initrd = build("initramfs", self.kernel, *core)
        image = build("hostroot", "image")
        with open(os.path.join(kernel, "release"), encoding="ascii") as f:
            self.release = f.read().strip()
        # For the cases in which the hook comes later.
        if not self.hook and self.kernel in HOOKED:
            shutil.copy(build("hook-module", self.kernel), os.path.join(self.share, "hook.ko"))

        # A driver without the hook, for where it stands in the kernel's own.
        hookless = os.path.join(kernel, "hookless.ko")
        if os.path.exists(hookless):
            shutil.copy(hookless, self.share)

        machine = (f"virt,virtualization=on,gic-version={self.gic},"
                   "iommu=smmuv3,memory-backend=ram")
        append = f"console=ttyAMA0 panic=-1 oops=panic {PLUG_READY} {self.append}"
        if self.gic == "2":
            append += " vfio_iommu_type1.allow_unsafe_interrupts=1"
        argv = [
            "qemu-system-aarch64", "-nodefaults", "-display", "none",
            "-no-reboot", "-M", machine, "-cpu", self.cpu,
            # Alignment on stage-2 Device memory is enforced only with
            # several vCPUs on several threads.
            *(["-icount", "shift=1,sleep=off", "-smp", "1"] if self.icount else
              ["-accel", "tcg,thread=multi", "-smp", "2"]),
            "-m", f"{self.memory_mib}M",
            "-object", f"memory-backend-file,id=ram,size={self.memory_mib}M,"
                       f"mem-path={self.ram},share=on",
            "-object", "memory-backend-ram,id=shm0,size=16M",
            "-object", "memory-backend-ram,id=shm1,size=16M",
            "-device", ROOT_PORT,
            "-kernel", os.path.join(kernel, "vmlinuz"), "-initrd", initrd,
            "-append", append,
            "-serial", f"file:{self.console}",
            "-qmp", f"unix:{self.path('qmp')},server=on,wait=off",
            "-gdb", f"unix:{self.path('gdb')},server=on,wait=off",
            "-drive", f"file={image},format=raw,if=none,id=root,snapshot=on",
            "-device", "virtio-blk-pci,drive=root,addr=2",
            "-fsdev", f"local,id=ncg,path={self.share},security_model=none",
            "-device", "virtio-9p-pci,fsdev=ncg,mount_tag=ncg,addr=3",
            "-device", "virtio-serial-pci,addr=4",
            "-chardev", f"socket,id=oracle,path={self.path('oracle')},"
                        "server=on,wait=off",
            "-device", "virtserialport,chardev=oracle,name=ncg.oracle",
        ]
        for _, device in DEVICES.values():
            argv += ["-device", device]
        if self.forward:
            outside, inside = self.forward
            argv += ["-netdev", "user,id=net,restrict=on,"
                     f"hostfwd=tcp:127.0.0.1:{outside}-:{inside}",
                     "-device", "virtio-net-pci,netdev=net,addr=8,romfile="]
        argv += self.extra
        with open(os.path.join(self.dir, "qemu.log"), "wb") as log:
            log.write((" ".join(argv) + "\n").encode())
            log.flush()
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            preexec_fn=_die_with_parent)
        self.oracle_sock = self._connect("oracle")
        self.oracle_sock.setblocking(False)
        return self

    def _connect(self, name, limit=30):
        deadline = time.monotonic() + limit
        while True:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(self.path(name))
                return sock
            except OSError:
                sock.close()
            self._check_alive()
            if time.monotonic() > deadline:
                raise HostError(f"QEMU did not open its {name} socket")
            time.sleep(0.05)

    def _check_alive(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.dir, "qemu.log"), encoding="utf-8",
                      errors="replace") as log:
                raise HostError(f"QEMU exited with {self.process.returncode}: "
                                + log.read()[-2000:])

    def serve(self, condition, limit):
        """Answers oracle requests until condition() holds; bounded.

        Also ends when QEMU does: the caller judges by what was left behind.
        """
        deadline = time.monotonic() + limit
        while not condition():
            if self.process.poll() is not None:
                return
            if time.monotonic() > deadline:
                raise HostError(f"not finished after {limit} s")
            ready, _, _ = select.select([self.oracle_sock], [], [], 0.1)
            if not ready:
                continue
            try:
                data = self.oracle_sock.recv(4096)
            except (BlockingIOError, ConnectionResetError):
                continue
            self.requests += data
            while b"\n" in self.requests:
                line, self.requests = self.requests.split(b"\n", 1)
                self._answer(line.decode())

    def _answer(self, line):
        """One request, one reply, a JSON line.

        `DDDD:BB:DD.F [seconds]`, or START+SIZE in its place, is for the oracle; `plug` and `unplug` put PLUGGED
        into the machine and ask it to give it back.
        """
        words = line.split()
        try:
            if words[0] in ("plug", "unplug"):
                with Qmp(self.path("qmp")) as qmp:
                    reply = qmp.command("device_add", **PLUGGED) if words[0] == "plug" \
                        else qmp.command("device_del", id=PLUGGED["id"])
            else:
                reply = oracle.observe(
                    self.ram, self.path("gdb"), self.path("qmp"), device=words[0],
                    timeout=float(words[1]) if len(words) > 1 else 20.0)
        except Exception as error:  # whatever it is, the asker must hear of it
            reply = {"error": f"{type(error).__name__}: {error}"}
        data = (json.dumps(reply) + "\n").encode()
        with open(os.path.join(self.dir, "oracle.jsonl"), "ab") as log:
            log.write(data)
        self.oracle_sock.setblocking(True)
        self.oracle_sock.sendall(data)
        self.oracle_sock.setblocking(False)

    def splats(self):
        """Lines of the kernel log that a good run must not have."""
        with open(self.console, encoding="utf-8", errors="replace") as log:
            return [line.rstrip() for line in log if SPLATS.search(line)]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.sockets, ignore_errors=True)
        if os.path.exists(self.ram):
            os.unlink(self.ram)
        self.lock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
