"""A worker as a process: started, asked over its pipe, watched, and ended where it goes beyond its time or memory."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from typing import BinaryIO, cast

from conformance.errors import InputError
from conformance.numbers.formats import Tensor
from conformance.pool import usage
from conformance.pool.observation import Observation, ended
from conformance.shipped import PACKAGE
from conformance.worker import protocol
from conformance.worker.protocol import Header, Message

#: Threads of every numeric library in a worker: results are then the same from run to run.
SINGLE_THREADED = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)

#: glibc (mallopt(3)): keep freed memory.  By default large arrays are given back to the system as soon as they are
#: freed, and a sweep of 16-bit pairs spends half of its time on touching pages for the first time.
#: Arrays of a sweep are at most 1 MiB, some of them at a time.
KEEPING_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 25), "MALLOC_TRIM_THRESHOLD_": str(1 << 27)}


class Ended(Exception):
    """The worker ended or was killed while a request was under way."""

    def __init__(self, observation: Observation) -> None:
        super().__init__(observation.message)
        self.observation = observation


class Outgrown(Ended):
    """The worker was killed because it held more memory than it may: that is the suite's limit, and no finding."""


class Worker:
    """One worker process and its pipe; `memory` are the bytes that it may hold, None where there is no limit."""

    memory: int | None = None

    def __init__(self, interpreter: str, source: str, log: BinaryIO, environment: Mapping[str, str]) -> None:
        child_read, self._write_fd = os.pipe()
        self._read_fd, child_write = os.pipe()
        script = str(PACKAGE / "worker" / "start.py")
        try:
            self.process = subprocess.Popen(
                [interpreter, script, str(child_read), str(child_write), source],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(child_read, child_write),
                env={**os.environ, **SINGLE_THREADED, **KEEPING_MEMORY, **environment},
                start_new_session=True,  # Ctrl-C reaches the parent alone, which ends the workers in order
            )
        except OSError as error:
            os.close(self._write_fd)
            os.close(self._read_fd)
            raise InputError(f"interpreter {interpreter!r} cannot be started: {error.strerror}") from None
        finally:
            os.close(child_read)
            os.close(child_write)
        self._outgoing = os.fdopen(self._write_fd, "wb")
        self._patience = usage.Patience(0.0)
        self._at_end = False

    @property
    def outgrown(self) -> bool:
        """Whether it holds more memory than it may.

        Its resident memory, seen now and then: a limit of its address space (RLIMIT_AS) is nothing that frameworks can
        live with, which reserve tens of gigabytes that they never touch.
        """
        return self.memory is not None and usage.resident(self.process.pid) > self.memory

    def receive(self, limit: float) -> Message:
        """The next message, for which it may take `limit` seconds as `usage.Patience` counts them.  Raises Ended."""
        self._patience = usage.Patience(limit)
        try:
            message = protocol.read(cast(BinaryIO, self))
        except protocol.ProtocolError as error:
            if not self._at_end:
                self.kill()
                raise Ended(Observation(kind="crashed", message=f"wrote into the pipe of the suite: {error}")) from None
            message = None
        if message is None:
            raise Ended(ended(self._reap()))
        return message

    def request(self, header: Header, arrays: Sequence[Tensor], limit: float) -> Message:
        """Send one request and wait for its answer.  Raises Ended."""
        try:
            protocol.write(self._outgoing, header, arrays)
        except OSError:
            raise Ended(ended(self._reap())) from None
        return self.receive(limit)

    def read(self, count: int) -> bytes:
        """Up to `count` bytes from the worker; Ended where it goes beyond a limit.  What `protocol.read` reads from.

        Looks after the process now and then: a child of it may hold the pipe open when it has ended.
        """
        while True:
            gone = self.process.poll() is not None
            ready, _, _ = select.select([self._read_fd], [], [], 0.0 if gone else usage.LOOK_EVERY)
            data = os.read(self._read_fd, min(count, 1 << 20)) if ready else b""
            if ready or gone:
                self._at_end = not data
                return data
            self._look()

    def _look(self) -> None:
        """End the process where it goes beyond its memory or its time.  Raises Ended."""
        if self.outgrown:
            self.kill()
            raise Outgrown(Observation(kind="crashed", message=f"ended by the suite: {usage.beyond(self.memory)}"))
        exhausted = self._patience.look(self.process.pid)
        if exhausted:
            self.kill()
            raise Ended(Observation(kind="timed-out", message=exhausted))

    def kill(self) -> None:
        """End the process and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, 9)
        self.process.wait()

    def close(self) -> None:
        """Close the pipe, give the process a moment to leave, then end it."""
        with contextlib.suppress(OSError):
            self._outgoing.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.05)
        self.kill()
        with contextlib.suppress(OSError):
            os.close(self._read_fd)

    def _reap(self) -> int:
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode
