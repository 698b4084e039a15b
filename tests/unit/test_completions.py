# SPDX-License-Identifier: GPL-2.0-only
"""Completion of ncgate in bash, zsh and fish themselves, and its manual.

Each shell runs on a terminal of its own with the script as it is installed; a key
is pressed and what the shell made of the line is read back. What there is to
complete is taken from ncgate's own --help, so that scripts and manual cannot fall behind.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

TOP = os.environ.get("NCG_TOP", ".")
NCGATE = os.path.join(os.environ.get("NCG_BIN_DIR", "build/x86/bin"), "ncgate")
SCRIPTS = os.path.join(TOP, "packaging", "completions")
LIMIT = 30


def help_of(*command):
    return subprocess.run([NCGATE, *command, "--help"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def commands():
    listed = help_of().split("Commands")[1].split("\n\n")[0]
    return re.findall(r"^  (\w+) ", listed, re.M)


def options(command):
    return sorted(set(re.findall(r"--([a-z]+)", help_of(command).split("Exit status")[0]))
                  - {"usage"})


class Terminal:
    """A shell on a terminal, with `ncgate` a function that prints its arguments."""

    def __init__(self, argv, setup, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(env["HOME"])
            os.execvpe(argv[0], argv, env)
        self.send(setup)
        # The echo of the line is not yet its result: there it is in two parts.
        self.send("echo rea''dy\n")
        self.read_until("\nready")

    def send(self, text):
        os.write(self.fd, text.encode())

    def read_until(self, mark):
        text, end = "", time.monotonic() + LIMIT
        while mark not in text.replace("\r", ""):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"no {mark!r} in {text!r}")
            text += os.read(self.fd, 4096).decode(errors="replace")
        return text.replace("\r", "")

    def complete(self, line):
        """The arguments that `ncgate LINE` and the tab key amount to."""
        self.send(f"ncgate {line}\t\n")
        text = self.read_until("<END>")
        return text[text.rindex("<GOT>") + 5:text.rindex("<END>")]

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Completions(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="ncgate-completions-")
        self.addCleanup(shutil.rmtree, self.home)
        for slot, group in (("0000:01:00.0", True), ("0000:02:00.0", False),
                            ("0009:01:00.0", True)):
            device = os.path.join(self.home, "sys", "bus", "pci", "devices", slot)
            os.makedirs(device)
            if group:
                os.symlink("../g", os.path.join(device, "iommu_group"))
                os.makedirs(os.path.join(self.home, "sys", "bus", "pci", "devices", "g"),
                            exist_ok=True)
        with open(os.path.join(self.home, "some-policy.conf"), "w", encoding="ascii"):
            pass
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "TERM": "dumb",
                    "LC_ALL": "C.UTF-8", "NCGATE_SYSFS": os.path.join(self.home, "sys")}

    def check(self, terminal):
        """Every command and option by its beginning, devices and files."""
        for command in commands():
            with self.subTest(command=command):
                self.assertEqual(terminal.complete(command[:-1]).split(), [command])
            for option in options(command):
                with self.subTest(command=command, option=option):
                    got = terminal.complete(f"{command} --{option[:-1]}").split()
                    self.assertEqual([w.rstrip("=") for w in got],
                                     [command, "--" + option])
        # An option of another command is none of this one's.
        self.assertEqual(terminal.complete("status --polic").split(), ["status", "--polic"])
        for line, wanted in (
                ("devices 0009", "devices 0009:01:00.0"),
                ("explain 0000:0", "explain 0000:01:00.0"),
                ("explain --bar 2 0009:01", "explain --bar 2 0009:01:00.0"),
                ("check some", "check some-policy.conf"),
                ("replay some", "replay some-policy.conf"),
                ("doctor --policy some", "doctor --policy some-policy.conf"),
                ("check --json --against some", "check --json --against some-policy.conf"),
                ("--json dev", "--json devices")):
            with self.subTest(line=line):
                self.assertEqual(terminal.complete(line).split(), wanted.split())
        with self.subTest("a value behind ="):
            self.assertEqual(terminal.complete("doctor --policy=some").split(),
                             ["doctor", "--policy=some-policy.conf"])
        # Nothing hidden is offered.
        self.assertEqual(terminal.complete("doctor --roo").split(), ["doctor", "--roo"])

    def test_bash(self):
        terminal = Terminal(
            ["bash", "--norc", "--noprofile", "-i"],
            "PS1=; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'\n"
            f". {SCRIPTS}/ncgate.bash\n"
            "ncgate() { echo '<GO''T>'\"$*\"'<EN''D>'; }\n", self.env)
        self.addCleanup(terminal.close)
        self.check(terminal)

    def test_zsh(self):
        functions = os.path.join(self.home, "functions")
        os.mkdir(functions)
        shutil.copy(os.path.join(SCRIPTS, "_ncgate"), functions)
        terminal = Terminal(
            ["zsh", "-f", "-i"],
            "PS1=; unsetopt beep prompt_sp prompt_cr\n"
            f"fpath=({functions} $fpath)\n"
            "autoload -Uz compinit; compinit -u -D\n"
            "ncgate() { print -r -- '<GO''T>'\"$*\"'<EN''D>' }\n", self.env)
        self.addCleanup(terminal.close)
        self.check(terminal)

    def fish(self, line):
        """What fish offers for `ncgate LINE`, without descriptions."""
        out = subprocess.run(
            ["fish", "--no-config", "-c",
             f"source {SCRIPTS}/ncgate.fish; complete -C 'ncgate {line}'"],
            check=True, text=True, stdout=subprocess.PIPE, env=self.env, cwd=self.home,
            timeout=LIMIT).stdout
        return sorted(word.split("\t")[0] for word in out.splitlines())

    def test_fish(self):
        self.assertEqual(self.fish(""), sorted(commands()))
        for command in commands():
            with self.subTest(command=command):
                offered = [w for w in self.fish(f"{command} --") if w.startswith("--")]
                self.assertEqual([w.rstrip("=") for w in offered],
                                 ["--" + o for o in options(command)])
        self.assertEqual(self.fish("devices 0009"), ["0009:01:00.0"])
        self.assertEqual(self.fish("explain 0000:0"), ["0000:01:00.0"])
        self.assertEqual(self.fish("check some"), ["some-policy.conf"])
        self.assertEqual(self.fish("replay some"), ["some-policy.conf"])
        self.assertEqual(self.fish("doctor --policy some"), ["some-policy.conf"])
        self.assertEqual(self.fish("doctor --policy=some"), ["--policy=some-policy.conf"])
        self.assertEqual(self.fish("explain --bar "), ["0", "1", "2", "3", "4", "5"])
        self.assertEqual(self.fish("status some"), [])


class Manual(unittest.TestCase):
    def test_every_command_and_option(self):
        with open(os.path.join(TOP, "docs", "man", "ncgate.1"), encoding="utf-8") as f:
            text = f.read()
        for command in commands():
            with self.subTest(command=command):
                self.assertRegex(text, rf"(?m)^\.It Cm {command}\b")
            for option in set(options(command)) - {"help", "version"}:
                with self.subTest(command=command, option=option):
                    self.assertRegex(text, rf"(?m)^\.It .*Fl -{option}\b")


if __name__ == "__main__":
    unittest.main()
