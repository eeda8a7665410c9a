"""The messages between the supervisor and everyone else on this host.

The supervisor serves HTTP/1.1 on a Unix socket that only this user can open:

| call | answer |
|---|---|
| `GET /watch` | newline-delimited `Snapshot`s: one at once, then one at every change |
| `POST /refresh` `RefreshRequest` | `Snapshot` with a login that is newer than the rejected one |
| `GET /status` | `SupervisorStatus` |
| `GET /config` | `ConfigStatus` of `codexia.config_status` |
| `POST /config/reload` | `ConfigStatus` after config.json is read again |
| `GET /account` | `AccountStatus` of `codexia.account` |
| `POST /observed` `Observed` of `codexia.account` | 204; what a worker saw and did |
| `POST /demand` `Demand` | 204; how many streams a worker has and wants |
| `GET /catalogue` | the account's models as the backend told them, or 404 |
| `GET /metrics` | everything counted, in the text format of Prometheus |
| `POST /count_tokens` `TokenCountRequest` | `TokenCount` |
| `PUT /responses/{id}?key=` `StoredResponse`, newline, `StoredItems` of its output | 204; `key` is the name of the local key whose response it is |
| `GET /responses/{id}?key=` | `StoredResponse`, or 404 |
| `DELETE /responses/{id}?key=` | 204, or 404 |
| `POST /items?key=` `ItemsRequest` | `StoredItems` that are known among the ids |
| files, batches and their items | `codexia.batches` has these calls |
| `PUT /recordings/{name}` | 204; an exchange to keep, a `Recording` of `codexia.recordings` |
| `POST /stop` | 202; the supervisor drains and exits |
| `POST /handover` `HandoverRequest` | 202; the supervisor exits, its generations serve on for the next one |

Workers watch with `?generation=` and their number: a generation is ready once all its workers
do. With `&worker=` they say whose the reports of `/observed` are. An error is an OpenAI error
object with its HTTP status, and `retry_after_s` beside `error` where that is known.

The supervisor also starts the worker generations: `GenerationSpec` is their standard input,
and each generation listens on a socket of its own where it greets with `GenerationHello` and
hands over the listening socket, so that a supervisor which comes back finds it and takes it on.

Receivers ignore fields that they do not know; `protocol` changes when that is not enough.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer

from codexia.batches import BatchActivity
from codexia.codex.upstream import CodexUpstream, Credential
from codexia.models import Model, ModelTable

PROTOCOL: Final = 1


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Versioned(_Message):
    """What any version can read of a message that has a `protocol`."""

    protocol: int = PROTOCOL


class Login(_Message):
    """An access token and what it is good for.

    Attributes:
        revision: grows with every change of the token; names the one that was rejected.
        expires_at: unix seconds.
    """

    revision: int
    access_token: SecretStr
    account_id: SecretStr
    expires_at: int

    @field_serializer("access_token", "account_id", when_used="json")
    def _reveal(self, value: SecretStr) -> str:
        return value.get_secret_value()

    def credential(self) -> Credential:
        """Return what the upstream headers are made of."""
        return Credential(self.access_token.get_secret_value(), self.account_id.get_secret_value())


class LocalKey(_Message):
    """A local key that clients may present; only its digest leaves the supervisor.

    Attributes:
        models: names of those that it may use; None for all.
    """

    name: str
    sha256: str = Field(repr=False)
    models: tuple[str, ...] | None = None


class UpstreamIdentity(_Message):
    """The fields of `CodexUpstream`."""

    base_url: str
    originator: str
    user_agent: str
    client_version: str


class ModelFacts(_Message):
    """The fields of `Model`."""

    id: str
    display_name: str
    context_window: int
    efforts: tuple[str, ...]
    listed: bool = True
    upgrade: str = ""
    prefer_websockets: bool = False


class ModelRules(_Message):
    """What `ModelTable` is made of; `known` is the account's own catalogue, if it is known."""

    ids: tuple[str, ...]
    fallback: str
    aliases: dict[str, str] = {}
    known: tuple[ModelFacts, ...] = ()


class Cooldown(_Message):
    """A limit of the plan that the backend refused a request for, and that is not over.

    Attributes:
        model: whose requests are refused; "" for those of every model.
        exempt: models that have limits of their own, with something left.
        believed_until: unix seconds; later a request finds out whether the limit is over.
        resets_at: when the limit ends, unix seconds; None where that is not known.
        message: the backend's own words.
        plan: the account's, "" where it is not known.
    """

    model: str = ""
    exempt: tuple[str, ...] = ()
    believed_until: float
    resets_at: int | None = None
    message: str
    plan: str = ""

    def applies_to(self, model: str) -> bool:
        """Return whether it is of that model's requests."""
        return self.model in {"", model} and model.lower() not in self.exempt


class StreamShares(_Message):
    """How the streams that may run at once are divided among the workers.

    Caps are by what they are for: the name of a local key, or "" for the account.

    Attributes:
        number: grows with every division; workers say which one they go by.
        caps: how many in all; what is not in it has no cap.
        by_worker: by worker, its part of each cap.
    """

    number: int = 0
    caps: dict[str, int] = {}
    by_worker: dict[str, dict[str, int]] = {}


class Need(_Message):
    """What a worker has of one cap.

    Attributes:
        held: the most that it may be using: its share, or more while streams above that end.
        running: streams that it has.
        waiting: requests that wait for one.
    """

    held: int
    running: int
    waiting: int


class Demand(_Message):
    """What a worker has of every cap, and the division that it goes by."""

    worker: str
    number: int
    needs: dict[str, Need]


class Snapshot(_Message):
    """Everything a worker serves by, whole and of one revision.

    Attributes:
        revision: grows with every change of anything in it.
        login: None when nobody is logged in.
        login_hint: why there is no usable login, and what to do, for the caller to read.
        drain_before: generations below this number close their connections and exit.
        cooldowns: limits that requests need not ask the backend about.
        shares: how many streams each worker may have.
        record: which exchanges are to be recorded.
        record_content: whether with their texts.
    """

    protocol: int = PROTOCOL
    revision: int
    login: Login | None = None
    login_hint: str = ""
    keys: tuple[LocalKey, ...] = ()
    upstream: UpstreamIdentity
    models: ModelRules
    bind_host: str
    bind_port: int
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    body_timeout_s: float = 60
    upstream_idle_timeout_s: float
    ping_interval_s: float
    upstream_transport: str = "http"
    log_level: str
    drain_before: int = 0
    cooldowns: tuple[Cooldown, ...] = ()
    shares: StreamShares = StreamShares()
    queue_timeout_s: float = 60.0
    max_request_memory_mb: int = 512
    log_format: str = "text"
    record: str = "off"
    record_content: bool = True

    def codex_upstream(self) -> CodexUpstream:
        """Return the backend as configured."""
        return CodexUpstream(**self.upstream.model_dump())

    def model_table(self) -> ModelTable:
        """Return the models on offer."""
        facts = {fact.id: Model(**fact.model_dump()) for fact in self.models.known}
        table = ModelTable(self.models.ids, self.models.fallback, self.models.aliases)
        known = {**table.known, **facts}
        return ModelTable(table.ids, table.fallback, table.aliases, known, frozenset(facts))


class HandoverRequest(_Message):
    """A call to leave the generations to a successor.

    Attributes:
        now: whether to exit at once, and not at a signal within the next minute.
    """

    now: bool = False


class RefreshRequest(_Message):
    """A call for a newer login.

    Attributes:
        rejected_revision: the login that the backend refused. When the supervisor already
            has a newer one it answers with that, so any number of callers cause one refresh.
            None forces a refresh.
        by_client: a client's wish, refused with 429 when there were many refreshes just now.
    """

    rejected_revision: int | None = None
    by_client: bool = False


class TokenCountRequest(_Message):
    """A call for the tokens of some texts.

    Attributes:
        texts: each counted by itself.
        tools: likewise, and remembered, since they come with every request of a client.
    """

    texts: tuple[str, ...] = Field(repr=False)
    tools: tuple[str, ...] = Field(default=(), repr=False)


class TokenCount(_Message):
    """The tokens of everything that a `TokenCountRequest` holds."""

    tokens: int


class StoredResponse(_Message):
    """An answer that a client may ask for again, and go on from.

    Attributes:
        response: the response object, as the client got it.
        input: the items that it answers, those of earlier responses included.
        session_key: of the conversation; the backend's prompt cache depends on it.
    """

    response: dict[str, Any] = Field(repr=False)
    input: list[dict[str, Any]] = Field(repr=False)
    session_key: str


class StoredItems(_Message):
    """Output items of stored responses, by id."""

    items: dict[str, dict[str, Any]] = Field(default={}, repr=False)


class ItemsRequest(_Message):
    """A call for the items of these ids."""

    ids: tuple[str, ...]


class GenerationSpec(_Message):
    """What one generation of workers is started with; one JSON line on standard input."""

    generation: int
    version: str
    workers: int
    bind_host: str
    bind_port: int
    listener_fd: int
    control_socket: str
    generation_socket: str
    snapshot: Snapshot


class GenerationHello(_Message):
    """First line that a generation sends to whoever connects to its socket.

    The listening socket comes with it as ancillary data.

    Attributes:
        pid: of its main process, which leads a session with its workers.
        leaving: whether it stops already and finishes its streams; there is no socket then.
    """

    generation: int
    version: str
    workers: int
    bind_host: str
    bind_port: int
    # To signal 0 or 1 would be to signal ourselves, or everyone.
    pid: int = Field(gt=1)
    leaving: bool = False


class GenerationStatus(_Message):
    """One generation as the supervisor sees it."""

    generation: int
    pid: int
    workers: int
    state: str
    started_at: float


class SupervisorStatus(_Message):
    """The supervisor's own account of itself.

    Attributes:
        config_problem: the one of `problems` that is about config.json.
        config_warnings: what of config.json has no effect, and why.
        sources: where each setting in force came from, by key.
        pinned: by key, what keeps an edit of config.json from changing a setting.
        settled: whether workers of the settings in force serve.
        workers_problem: the one of `problems` that keeps them from it.
        problems: what is wrong right now, each with the next step.
    """

    version: str
    pid: int
    started_at: float
    revision: int
    bind: str
    logged_in: bool
    login_hint: str = ""
    token_expires_at: int | None = None
    generations: tuple[GenerationStatus, ...] = ()
    models: tuple[str, ...] = ()
    auth_file: str = ""
    problems: tuple[str, ...] = ()
    config_problem: str = ""
    config_warnings: tuple[str, ...] = ()
    sources: dict[str, str] = {}
    pinned: dict[str, str] = {}
    settled: bool = False
    workers_problem: str = ""
    counters: dict[str, int] = {}
    batches: BatchActivity = BatchActivity()
