"""Makes another process make a system call, as a flaw in it could: ptrace(2) on x86-64, while it waits in a system call."""

import contextlib
import ctypes
import os
import signal

from waiting import eventually

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long

PEEKTEXT, POKETEXT, GETREGS, SETREGS, ATTACH, DETACH, TO_SYSCALL = 1, 4, 12, 13, 16, 17, 24
INSTRUCTION = b"\x0f\x05"  # syscall
EINTR = 4
RED_ZONE = 128  # bytes below the stack pointer that belong to the function
WORD = 8

OPENAT, EXECVE = 257, 59
NAMES = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"
).split()


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in NAMES]

    def changed(self, **values):
        copy = Registers.from_buffer_copy(self)
        for name, value in values.items():
            setattr(copy, name, value & (1 << 64) - 1)
        return copy


def ptrace(request, pid, address=None, data=None):
    ctypes.set_errno(0)
    found = LIBC.ptrace(request, pid, address, data)
    if ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
    return found


def registers_of(pid):
    registers = Registers()
    ptrace(GETREGS, pid, None, ctypes.addressof(registers))
    return registers


def put(pid, address, data):
    data += bytes(-len(data) % WORD)
    for at in range(0, len(data), WORD):
        ptrace(POKETEXT, pid, address + at, int.from_bytes(data[at : at + WORD], "little"))


def run_to_syscall(pid):
    """Runs the process to the beginning or the end of its next system call."""
    ptrace(TO_SYSCALL, pid)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP, status


def attach_to_waiting(pid):
    """Attaches to the process if it waits. A waiting process is stopped directly after the instruction of a system call."""
    ptrace(ATTACH, pid)
    os.waitpid(pid, 0)
    instruction = ptrace(PEEKTEXT, pid, registers_of(pid).rip - len(INSTRUCTION)) & 0xFFFF
    if instruction.to_bytes(len(INSTRUCTION), "little") == INSTRUCTION:
        return True
    ptrace(DETACH, pid)
    return False


@contextlib.contextmanager
def attached(pid):
    """Within the block the process is stopped in a system call in which it waited."""
    eventually(lambda: attach_to_waiting(pid), what="a system call")
    try:
        yield
    finally:
        ptrace(DETACH, pid)


def system_call(pid, number, path, *arguments):
    """The result of the call in that process. None among the arguments stands for the path. The result of a call that is not allowed
    means nothing: the process gets SIGSYS for it."""
    with attached(pid):
        before = registers_of(pid)
        instruction = before.rip - len(INSTRUCTION)
        place = before.rsp - RED_ZONE - len(path) - 2 * WORD & -WORD
        put(pid, place, path.encode() + b"\0")
        values = [place if argument is None else argument for argument in arguments]
        # orig_rax -1: the kernel does not restart the interrupted call first.
        changed = before.changed(rip=instruction, rax=number, orig_rax=-1, **dict(zip(("rdi", "rsi", "rdx", "r10"), values)))
        ptrace(SETREGS, pid, None, ctypes.addressof(changed))
        run_to_syscall(pid)
        run_to_syscall(pid)
        result = ctypes.c_longlong(registers_of(pid).rax).value
        # The interrupted call returns EINTR, as after a signal.
        again = before.changed(rax=-EINTR, orig_rax=-1)
        ptrace(SETREGS, pid, None, ctypes.addressof(again))
        return result
