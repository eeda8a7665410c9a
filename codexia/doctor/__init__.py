"""What `codexia doctor` looks at. Nothing here changes anything, or shows a secret.

- `finding`, `subject`: what a check gives, and what it looks at
- `private_files`, `configuration`, `login`, `gateway`, `host`, `clients`, `service`: checks of this host
- `network`: checks of the way to the backend and the login server, all at once
- `examination`: all of them
"""
