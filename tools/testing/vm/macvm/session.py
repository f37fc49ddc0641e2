# SPDX-License-Identifier: GPL-2.0
"""One run of a virtual machine: starts it, moves bytes, and ends it.

guest/init is the other end. Virtio ports connect the two:

  output	one line once user space is up, then the command's output, then a
		NUL, the run's nonce, the command's exit status and the kernel's
		taint mask. Back comes "done" when all of it has arrived, or
		"hung" if that takes longer than it may.
  input		for a shell that is fed from a pipe: one line from the guest when
		it is ready, then what the shell reads.
  hvc0		the terminal of an interactive shell, both ways.
"""

import contextlib
import fcntl
import os
import re
import secrets
import selectors
import shlex
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import tty

# A machine that has said its last word switches itself off in well under a
# second; this is for one whose kernel hangs while it does so.
POWER_OFF_SECONDS = 30

# What a hanging machine is given to put on record where it hangs.
TESTAMENT_SECONDS = 3

KILL_KEY = b"\x1d"  # Ctrl-]

CHUNK = 65536

# The digits of an exit status and a taint mask, and a blank.
LONGEST_NUMBERS = 3 + 1 + 20


class Output:
    """Takes the output port's stream apart."""

    def __init__(self, nonce):
        mark = b"\0" + nonce.encode() + b" "
        self._last_word = re.compile(re.escape(mark) + rb"(\d+) (\d+)\n")
        self._begun = re.compile(re.escape(mark) + rb"\d*( \d*)?\Z")
        self._mark = mark
        self._held = b""
        self.up = False
        self.status = None
        self.taint = 0

    @property
    def complete(self):
        return self.status is not None

    def feed(self, data):
        """The part of DATA, and of what was held back, that the command wrote."""
        if self.complete:
            return b""
        data = self._held + data
        self._held = b""
        if not self.up:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return b""
            self.up = True
        last = self._last_word.search(data)
        if last:
            self.status, self.taint = int(last[1]), int(last[2])
            return data[:last.start()]
        end = self._end(data)
        self._held = data[end:]
        return data[:end]

    def _end(self, data):
        """Where DATA ends, but for what may turn out to be the last word."""
        at = data.find(b"\0", max(0, len(data) - len(self._mark) - LONGEST_NUMBERS))
        while at >= 0:
            if self._mark.startswith(data[at:]) or self._begun.match(data, at):
                return at
            at = data.find(b"\0", at + 1)
        return len(data)


class Session:
    """A machine in one of guest/init's modes: command, script or terminal.

    Afterwards, output.status is the command's exit status, or None if the
    machine did not live to tell it. If it was the host that ended the machine,
    ended_by says why.
    """

    def __init__(self, mode, boot_seconds):
        self.mode = mode
        self.boot_seconds = boot_seconds
        self.ended_by = None
        self.timed_out = False
        # User space did not come up: see _pump.
        self.stuck = False
        self._nonce = secrets.token_hex(8)
        self.output = Output(self._nonce)
        self._qemu = None
        self._options = ["-device", "virtio-serial-pci"]
        self._guest_ends = []
        self._port = self._connect("output", "virtserialport,name=output")
        self._input = None
        if mode == "script":
            self._input = self._connect("input", "virtserialport,name=input")
        elif mode == "terminal":
            # Port 0 is reserved for a console, so that it becomes hvc0.
            self._input = self._connect("hvc0", "virtconsole,nr=0")

    def _connect(self, name, device):
        ours, theirs = socket.socketpair()
        self._guest_ends.append(theirs)
        self._options += [
            "-chardev", f"socket,id={name},fd={theirs.fileno()}",
            "-device", f"{device},chardev={name}",
        ]
        return ours

    def config(self):
        """The text of /.vm/config, which guest/init reads."""
        lines = {"mode": self.mode, "nonce": self._nonce}
        if self.mode == "terminal":
            rows, cols, _, _ = struct.unpack("4H", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))
            lines.update(rows=rows or 24, cols=cols or 80, term=os.environ.get("TERM", "linux"))
        return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in lines.items())

    def run(self, command, timeout, log, show, booted):
        """Runs QEMU by COMMAND for at most TIMEOUT seconds (None: no limit).

        The command's output goes to SHOW(bytes) as it comes, QEMU's own words
        to LOG/qemu.log. BOOTED(seconds) is called when user space is up.
        """
        with open(log / "qemu.log", "wb") as words:
            # A process group of its own: what a key or a time-out ends is this
            # machine and nothing else.
            self._qemu = subprocess.Popen(
                command + self._options, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
                pass_fds=[end.fileno() for end in self._guest_ends], start_new_session=True,
            )
        for end in self._guest_ends:
            end.close()
        try:
            with self._raw_terminal():
                if self._input:
                    threading.Thread(target=self._feed, daemon=True).start()
                self._pump(timeout, show, booted)
        finally:
            self._kill()

    def command_line(self, command):
        """The command line as a person could type it, but for the ports."""
        return shlex.join(command + self._options)

    def _kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._qemu.pid, signal.SIGKILL)
        self._qemu.wait()

    @contextlib.contextmanager
    def _raw_terminal(self):
        if self.mode != "terminal":
            yield
            return
        saved = termios.tcgetattr(0)
        tty.setraw(0)
        try:
            yield
        finally:
            termios.tcsetattr(0, termios.TCSAFLUSH, saved)

    def _feed(self):
        """Moves standard input to the guest, in a thread of its own."""
        with contextlib.suppress(OSError):  # the machine may end at any time
            if self.mode == "script":
                self._input.recv(CHUNK)
            while data := os.read(0, CHUNK):
                if self.mode == "terminal" and KILL_KEY in data:
                    self.ended_by = "killed from the keyboard"
                    os.killpg(self._qemu.pid, signal.SIGKILL)
                    return
                self._input.sendall(data)
            # Half of the connection stays open: QEMU would lose what it has
            # not read yet if it saw a hang-up.
            self._input.shutdown(socket.SHUT_WR)

    def _pump(self, timeout, show, booted):
        start = time.monotonic()
        deadline = start + timeout if timeout else None
        selector = selectors.DefaultSelector()
        selector.register(self._port, selectors.EVENT_READ)
        if self.mode == "terminal":
            selector.register(self._input, selectors.EVENT_READ)
        while True:
            limit = deadline if self.output.up else start + self.boot_seconds
            ready = selector.select(max(0, limit - time.monotonic()) if limit else None)
            if not self.output.up and time.monotonic() >= limit:
                # An emulated processor loses its timer once in a while when the
                # host is busy, before anything that is tested has begun.
                self.stuck = True
                self.ended_by = f"did not come up within {self.boot_seconds} s"
                return
            if deadline and time.monotonic() >= deadline:
                if self.ended_by:
                    return
                if self.output.complete:
                    self.ended_by = f"did not switch itself off within {POWER_OFF_SECONDS} s"
                    return
                self.timed_out = True
                self.ended_by = f"timed out after {timeout:g} s"
                self._send(b"hung\n")
                deadline = time.monotonic() + TESTAMENT_SECONDS
            for key, _ in ready:
                data = receive(key.fileobj)
                if key.fileobj is not self._port:
                    if data:
                        show(data)
                    else:
                        selector.unregister(key.fileobj)
                    continue
                if not data:
                    return
                was_up, was_complete = self.output.up, self.output.complete
                show(self.output.feed(data))
                if self.output.up and not was_up:
                    booted(time.monotonic() - start)
                if self.output.complete and not was_complete:
                    self._send(b"done\n")
                    deadline = time.monotonic() + POWER_OFF_SECONDS

    def _send(self, word):
        with contextlib.suppress(OSError):  # the machine may end at any time
            self._port.sendall(word)


def receive(connection):
    """What came, or nothing if QEMU is gone."""
    try:
        return connection.recv(CHUNK)
    except ConnectionResetError:
        return b""
