"""The login with OpenAI's authority: authorisation code with PKCE, refresh, and auth.json.

- `pkce`, `authorize`, `redirect`: the way from a browser to an authorisation code
- `replies`: what the token endpoint answers, and what its errors mean
- `callback`, `callback_page`: the end of a login in a browser on this host
- `device`, `device_wait`: a login that is approved on another machine
- `codex_cli`: the login of the official command line
- `client`: the calls to the authority
- `sign_in`: from a code to auth.json, and back
- `credentials`: auth.json
- `lock`, `attempt`, `draft`: what keeps a login whole when a process is killed at any instant
- `renewal`: one refresh across all processes that share an auth.json
"""
