"""Supervisor's configuration file."""

from collections.abc import Mapping
from pathlib import Path

from apps.stack.errors import StackError
from apps.stack.folders import AWKWARD, Folders
from apps.stack.servers.server import Program

HEAD = """\
; Written by 'agentruns up'; changes are lost.
[unix_http_server]
file = {socket}
chmod = 0700

[supervisord]
logfile = {log}
logfile_maxbytes = 5MB
logfile_backups = 2
pidfile = {pid}
directory = /
umask = 077
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command = {command}
directory = {folder}
environment = {environment}
priority = {priority}
umask = {umask}
autostart = false
autorestart = true
startsecs = 5
startretries = 2
stopsignal = {stop_signal}
stopwaitsecs = 20
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
{user}"""


def configuration_text(folders: Folders, programs: Mapping[str, Program]) -> str:
    """What makes supervisor keep these programs, stopped in the reverse of this order."""
    head = HEAD.format(
        socket=_plain(folders.socket),
        log=_plain(folders.log("supervisord")),
        pid=_plain(folders.socket.with_name("supervisord.pid")),
        user=_user_line("root" if any(each.user for each in programs.values()) else None),
    )
    return head + "".join(
        _section(folders, name, program, priority)
        for priority, (name, program) in enumerate(programs.items(), start=1)
    )


def _section(folders: Folders, name: str, program: Program, priority: int) -> str:
    return PROGRAM.format(
        name=name,
        command=" ".join(_quoted(part) for part in program.command),
        folder=_plain(program.folder),
        environment=",".join(
            f"{key}={_quoted(value)}" for key, value in program.environment.items()
        ),
        priority=priority,
        umask=program.umask,
        stop_signal=program.stop_signal,
        log=_plain(folders.log(name)),
        user=_user_line(program.user),
    )


def _user_line(user: str | None) -> str:
    return f"user = {user}\n" if user else ""


def _quoted(value: str) -> str:
    return f'"{_plain(value)}"'


def _plain(value: str | Path) -> str:
    text = str(value)
    if AWKWARD.intersection(text) or not text.isprintable():
        # Supervisor has no way to write these down.
        raise StackError(
            f"{text} holds a quote, a backslash, or one of ; # % ` $: move it to another folder"
        )
    return text
