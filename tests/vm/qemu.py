# SPDX-License-Identifier: GPL-2.0-only
"""Clients for the two sockets of a QEMU machine: gdb remote protocol and QMP.

Both speak just enough for the page-table oracle: the gdb client stops and
resumes the machine and reads system registers of each CPU by name; the QMP
client runs one command at a time.

How it fails: every wait is bounded by the timeout given to the constructor.
A closed socket, a timeout or a reply that is not understood raises QemuError
with what was asked; nothing is ever answered with a default value. Closing a
Gdb object resumes the machine, because QEMU leaves it stopped otherwise.
"""

import json
import re
import socket
import time
import xml.etree.ElementTree as ElementTree


class QemuError(Exception):
    """The machine did not answer, or not in a way that is understood."""


def _connect(path, timeout):
    """Connects to a unix socket that may still be about to appear."""
    deadline = time.monotonic() + timeout
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(path)
            return sock
        except OSError as error:
            sock.close()
            if time.monotonic() >= deadline:
                raise QemuError(f"connect {path}: {error}") from error
            time.sleep(0.02)


class Gdb:
    """A gdb remote protocol client for QEMU's stub.

    Connecting stops the machine (QEMU does that by itself). The object tracks
    whether the machine is stopped; registers can only be read while it is.
    """

    def __init__(self, path, timeout=10.0):
        self._timeout = timeout
        self._sock = _connect(path, timeout)
        self._pending = b""
        self._numbers = None
        self._sizes = {}
        self.stopped = True
        try:
            # Without `multiprocess`, so that ids are plain numbers and D
            # needs no process.
            self._command("qSupported:xmlRegisters=aarch64")
            # Which thread stopped and why; the answer is of no interest, but
            # QEMU attaches the client's notion of a current CPU here.
            self._command("?")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Transport: $data#checksum, each answered by '+'; 0x7d escapes a byte.

    def _byte(self):
        if not self._pending:
            try:
                self._pending = self._sock.recv(65536)
            except OSError as error:
                raise QemuError(f"gdb: no answer: {error}") from error
            if not self._pending:
                raise QemuError("gdb: QEMU closed the connection")
        byte, self._pending = self._pending[:1], self._pending[1:]
        return byte

    def _send(self, data):
        raw = data.encode("ascii")
        packet = b"$%s#%02x" % (raw, sum(raw) & 0xFF)
        try:
            self._sock.sendall(packet)
        except OSError as error:
            raise QemuError(f"gdb: sending {data}: {error}") from error
        while True:
            byte = self._byte()
            if byte == b"+":
                return
            if byte == b"-":
                raise QemuError(f"gdb: {data}: refused by checksum")
            # Anything else is left over from a stop that raced with us.

    def _receive(self):
        while self._byte() != b"$":
            pass
        body = bytearray()
        total = 0
        while True:
            byte = self._byte()
            if byte == b"#":
                break
            total += byte[0]
            if byte == b"}":
                byte = self._byte()
                total += byte[0]
                body.append(byte[0] ^ 0x20)
            else:
                body += byte
        stated = int(self._byte() + self._byte(), 16)
        if stated != total & 0xFF:
            raise QemuError("gdb: wrong checksum in a reply")
        try:
            self._sock.sendall(b"+")
        except OSError:
            # The other side may leave once it has answered. If that was not
            # its last answer, the next request says so.
            pass
        return bytes(body)

    def _command(self, data):
        self._send(data)
        return self._receive()

    # The machine.

    def stop(self):
        """Stops all CPUs; returns once QEMU has reported the stop."""
        if self.stopped:
            return
        try:
            self._sock.sendall(b"\x03")
        except OSError as error:
            raise QemuError(f"gdb: stopping the machine: {error}") from error
        reply = self._receive()
        if reply[:1] not in (b"T", b"S"):
            raise QemuError(f"gdb: stop answered by {reply[:40]!r}")
        self.stopped = True

    def resume(self):
        """Lets all CPUs run. There is no reply to wait for but the ack."""
        if self.stopped:
            self._send("c")
            self.stopped = False

    def close(self):
        """Resumes the machine and drops the connection.

        Raises QemuError if the machine may have been left stopped.
        """
        if self._sock is None:
            return
        try:
            self.stop()
            reply = self._command("D")
            if reply != b"OK":
                raise QemuError(f"gdb: detach answered by {reply[:40]!r}; "
                                "the machine may be left stopped")
        finally:
            self._sock.close()
            self._sock = None

    def threads(self):
        """The ids of all CPUs, as the stub spells them."""
        found = []
        reply = self._command("qfThreadInfo")
        while reply[:1] == b"m":
            found += reply[1:].decode("ascii").split(",")
            reply = self._command("qsThreadInfo")
        if not found:
            raise QemuError("gdb: the stub names no CPU")
        return found

    def _document(self, name):
        text = b""
        while True:
            reply = self._command(
                f"qXfer:features:read:{name}:{len(text):x},fff")
            if reply[:1] not in (b"m", b"l"):
                raise QemuError(f"gdb: no {name}: {reply[:40]!r}")
            text += reply[1:]
            if reply[:1] == b"l":
                return text.decode("utf-8")

    def _learn(self):
        """Reads the target description: register name to number.

        As gdb itself counts: a register without `regnum` follows the one
        before it, through all included documents in their order.
        """
        numbers = {}
        sizes = {}
        following = 0
        # QEMU does not declare the xi: prefix, so this one is not quite XML.
        for name in re.findall(r'<xi:include href="([^"]*)"',
                               self._document("target.xml")):
            feature = ElementTree.fromstring(self._document(name))
            for reg in feature.iter("reg"):
                number = int(reg.get("regnum", following))
                following = number + 1
                numbers.setdefault(reg.get("name"), number)
                sizes[number] = int(reg.get("bitsize"))
        self._numbers = numbers
        self._sizes = sizes

    def registers(self, thread, names):
        """Reads the named registers of one CPU; returns {name: value}."""
        if not self.stopped:
            raise QemuError("gdb: registers of a running machine")
        if self._numbers is None:
            self._learn()
        if self._command(f"Hg{thread}") != b"OK":
            raise QemuError(f"gdb: no CPU {thread}")
        values = {}
        for name in names:
            if name not in self._numbers:
                raise QemuError(f"gdb: the stub has no register {name}")
            number = self._numbers[name]
            reply = self._command(f"p{number:x}")
            if len(reply) * 4 != self._sizes[number]:
                raise QemuError(f"gdb: {name}: {reply[:40]!r}")
            values[name] = int.from_bytes(bytes.fromhex(reply.decode()),
                                          "little")
        return values


class Qmp:
    """A QMP client: greeting, capabilities, then one command at a time."""

    def __init__(self, path, timeout=10.0):
        self._sock = _connect(path, timeout)
        self._file = self._sock.makefile("rb")
        try:
            self._message()
            self.command("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self._sock.close()

    def _message(self):
        try:
            line = self._file.readline()
        except OSError as error:
            raise QemuError(f"qmp: no answer: {error}") from error
        if not line:
            raise QemuError("qmp: QEMU closed the connection")
        return json.loads(line)

    def command(self, name, **arguments):
        """Runs one command and returns its `return` member."""
        request = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        try:
            self._sock.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise QemuError(f"qmp: {name}: {error}") from error
        while True:
            message = self._message()
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise QemuError(f"qmp: {name}: {message['error']['desc']}")
            # Anything else is an event (STOP, RESUME, ...).
