"""The per-user background service: systemd on Linux, launchd on macOS.

`systemd` and `launchd` render, and do nothing else; `systemd_user` and `launch_agent` apply; `platforms` chooses.
"""
