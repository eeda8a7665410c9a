"""The login with OpenAI's authority: authorisation code with PKCE, refresh, and auth.json.

- `pkce`, `authorize`, `redirect`: the way from a browser to an authorisation code
- `replies`: what the token endpoint answers, and what its errors mean
- `client`: the calls to the authority
- `credentials`: auth.json
- `renewal`: one refresh across all processes that share an auth.json
"""
