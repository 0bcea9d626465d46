"""Becomes another program that cannot outlive its parent: `supervised.py PARENT SIGNAL UID GID PROGRAM ...`.

Run as a script, not imported. A fresh interpreter does what a fork of the launcher could not do
safely beside its threads. The order matters: the kernel forgets the parent-death signal whenever
the user changes, so it is asked for last; and it stays silent about a parent that is dead already,
so that is checked afterwards. It survives the exec that follows.

Source: Linux manual, PR_SET_PDEATHSIG(2const).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(parent_pid: int, death_signal: int, uid: int, gid: int, program: list[str]) -> None:
    """Replace this process by `program`; the kernel sends it `death_signal` when the parent dies.

    `uid` -1 keeps the present user.
    """
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("the launcher is gone")
    # This interpreter ignores them for itself, and what is ignored stays so over exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execv(program[0], program)  # noqa: S606 - becoming the program is the purpose


if __name__ == "__main__":
    parent, death, user, group = (int(text) for text in sys.argv[1:5])
    become(parent, death, user, group, sys.argv[5:])
