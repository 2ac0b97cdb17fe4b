"""Every setting, its default and its allowed range, in one frozen object.

A field is read as its upper-case name (`PORT`), as `CHAT2API_PORT` (which wins), and in YAML in lower
case (`port`). `settings.load` does the reading; nothing else in the package looks at the environment.
Seconds and bytes are in the names or descriptions. The descriptions feed the documentation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf

from chat2api.secret import Secret
from chat2api.settings.checks import (
    as_log_level,
    is_base_url,
    is_claude_table,
    is_database_url,
    is_file_name,
    is_hex,
    is_network,
    is_prefix,
    is_proxy,
    is_secret_key,
    is_zone,
)
from chat2api.settings.compatible_entry import (
    ALL_MODELS,
    OPENAI_COMPATIBLE,
    CompatibleEntry,
    is_entry_address,
    is_entry_name,
    is_entry_proxy,
    is_model_name,
)
from chat2api.settings.entry import ChatGptEntry

BaseUrl = Annotated[str, AfterValidator(is_base_url)]
ProxyUrl = Annotated[Secret, AfterValidator(is_proxy)]
SecretKey = Annotated[Secret, AfterValidator(is_secret_key)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseModel):
    """Frozen; a reload replaces the whole object."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True
    )

    # --- listening
    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 - a server
    port: int = Field(5005, ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")
    workers: int = Field(1, ge=1, le=64, description="Worker processes.")
    worker_connections: int = Field(
        4096, ge=8, le=1_000_000, description="Connections a worker holds at once."
    )
    api_prefix: Annotated[str, AfterValidator(is_prefix)] = Field(
        "", description="Path before /v1, a kind of password: /PREFIX/v1/…; without it 404."
    )
    public_base_url: BaseUrl | None = Field(
        None,
        description="How clients reach this server; for links and recipes that pages hand out.",
    )
    trusted_proxies: tuple[Annotated[str, AfterValidator(is_network)], ...] = Field(
        (),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed.",
    )
    cors_origins: tuple[str, ...] = Field(
        ("*",), description="Browser origins that may call /v1; never with credentials."
    )

    # --- who may call
    authorization: tuple[Secret, ...] = Field(
        (), description="API keys that select an account from the pool."
    )
    direct_tokens: Literal["auto", "prefix", "off"] = Field(
        "auto",
        description="Whether an access token may be used as the key: auto (bare tokens while no "
        "access_token_prefix is set), prefix (only after that prefix), off.",
    )
    access_token_prefix: tuple[Secret, ...] = Field(
        (), description="Private prefixes that mark a direct access token."
    )
    allow_anonymous: bool = Field(
        False, description="Serve requests without a key through the anonymous upstream."
    )
    admin_password: Secret | None = Field(
        None, description="Opens /admin and /tokens; unset: any API key of AUTHORIZATION does."
    )
    login_attempts: int = Field(
        5, ge=1, le=1000, description="Wrong passwords an address may send in ten minutes."
    )
    key_grace_seconds: float = Field(
        300,
        ge=0,
        le=86_400,
        description="How long known keys are honoured while the database is away.",
    )

    # --- accounts
    chatgpts: tuple[InstanceOf[ChatGptEntry], ...] = Field(
        (), description="Accounts, in the YAML file only."
    )
    random_token: bool = Field(
        True, description="Choose accounts at random; false: strictly in turn."
    )
    scheduled_refresh: bool = Field(
        False, description="Renew all refresh tokens at the start and every 4 days at 03:00."
    )
    refresh_window_seconds: Seconds = Field(
        600, description="Refreshes that fall due together are spread over this time."
    )
    refresh_parallel: int = Field(4, ge=1, le=64, description="Refreshes at once.")
    refresh_per_second: float = Field(
        2, gt=0, le=1000, description="Refreshes begun per second, at most."
    )
    openai_auth_issuer: BaseUrl | None = Field(
        None,
        description="The login server, for logging in; unset: the one of OPENAI_AUTH_TOKEN_URL, else "
        "OpenAI's. Its /oauth/token also renews, unless that is set.",
    )
    openai_auth_authorize_url: BaseUrl | None = Field(
        None, description="Where a login by browser begins; unset: on that login server."
    )
    openai_auth_token_url: BaseUrl | None = Field(
        None, description="Where refresh tokens are exchanged; unset: by the kind of token."
    )
    openai_auth_client_id: str = Field(
        "", description="Client id of that exchange; empty: by the kind of token."
    )
    openai_auth_redirect_uri: str = Field(
        "", description="Redirect address of that exchange; empty: by the kind of token."
    )
    openai_auth_scope: str = Field(
        "openid profile email offline_access", description="Scope of that exchange."
    )
    openai_auth_encoding: Literal["auto", "json", "form"] = Field(
        "auto", description="Body of that exchange; auto goes by the kind of token."
    )

    # --- the ChatGPT web upstream
    chatgpt_base_url: tuple[BaseUrl, ...] = Field(
        ("https://chatgpt.com",), min_length=1, description="Upstream address(es), one per request."
    )
    auth_key: Secret | None = Field(
        None, description="Sent upstream as header `authkey`, for private relays."
    )
    proxy_url: tuple[ProxyUrl, ...] = Field(
        (), description="Outgoing proxies: http://, https://, socks5://, user:password allowed."
    )
    history_disabled: bool = Field(
        True, description="Conversations are temporary upstream; a request may override it."
    )
    conversation_only: bool = Field(
        False, description="Skip requirements and proof; a relay before the upstream does them."
    )
    pow_difficulty: Annotated[str, AfterValidator(is_hex)] = Field(
        "00003a", description="Hardest proof of work accepted: at or below it is refused."
    )
    pow_variant: Literal["auto", "sha3", "fnv"] = Field(
        "auto", description="Proof-of-work hash; auto follows the sentinel flow."
    )
    sentinel_flow: Literal["auto", "single", "two_step"] = Field(
        "auto", description="How requirements are asked for; auto tries two steps first."
    )
    conversation_endpoint: Literal["auto", "f", "classic"] = Field(
        "auto", description="f/conversation or conversation; auto falls back to the other."
    )
    turnstile: Literal["continue", "fail"] = Field(
        "continue", description="When a Turnstile challenge is announced: go on without, or report."
    )
    user_agent: str = Field(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/124.0.0.0 Safari/537.36",
        description="User-Agent towards the ChatGPT web backend; also part of the proof.",
    )
    upstream_headers: dict[str, str] = Field(
        default_factory=dict, description="Extra or changed upstream headers (YAML or JSON)."
    )
    model_aliases: dict[str, str] = Field(
        default_factory=dict, description="Model name -> upstream slug (YAML or JSON)."
    )
    claude_models: Annotated[dict[str, str], AfterValidator(is_claude_table)] = Field(
        default_factory=dict,
        description="Claude family -> model, for clients that ask for Claude (YAML or JSON); unset "
        "families: opus is gpt-5-5-thinking (for paid accounts), sonnet gpt-5-5, haiku gpt-5-mini.",
    )
    history_form: Literal["messages", "folded"] = Field(
        "messages",
        description="How a new chat's history is sent: as several messages, or folded into one of "
        "the user's with role labels.",
    )
    code_output: Literal["markdown", "hide"] = Field(
        "markdown", description="Show code-interpreter source and output as fenced blocks, or not."
    )

    # --- other upstreams
    openai_compatible: tuple[InstanceOf[CompatibleEntry], ...] = Field(
        (), description="Other upstreams, in the YAML file only: providers.openai_compatible."
    )
    openai_compatible_base_url: Annotated[str, AfterValidator(is_entry_address)] | None = Field(
        None,
        description="Another upstream that speaks OpenAI's API: the address to which "
        "/chat/completions is added. Several: in the YAML file.",
    )
    openai_compatible_api_key: Secret | None = Field(
        None, description="The key for it; many local servers need none."
    )
    openai_compatible_models: tuple[Annotated[str, AfterValidator(is_model_name)], ...] = Field(
        (ALL_MODELS,), min_length=1, description="Its models, or * for all that it lists."
    )
    openai_compatible_name: Annotated[str, AfterValidator(is_entry_name)] = Field(
        OPENAI_COMPATIBLE, description="What it is called; NAME/MODEL always asks it."
    )
    openai_compatible_proxy: Annotated[Secret, AfterValidator(is_entry_proxy)] | None = Field(
        None, description="The proxy towards it instead of PROXY_URL; direct for none."
    )

    # --- attempts and limits
    retry_times: int = Field(3, ge=0, le=20, description="Further attempts after the first.")
    enable_limit: bool = Field(
        True, description="Remember upstream limits and do not call an account while it is limited."
    )
    access_denied_seconds: Seconds = Field(
        600, description='How long an account rests after a 403 or "unusual activity".'
    )
    account_concurrency: int = Field(
        10, ge=0, le=100_000, description="Turns one account runs at once; 0 for no limit."
    )
    direct_concurrency: int = Field(
        100,
        ge=0,
        le=100_000,
        description="Turns at once, per worker, for direct tokens and keyless callers together; 0 for "
        "no limit.",
    )
    queue_seconds: Seconds = Field(30, description="Longest wait for a free account.")
    queue_length: int = Field(1000, ge=0, le=1_000_000, description="Requests that may wait.")
    connect_seconds: Seconds = Field(10, description="Upstream connect limit.")
    first_byte_seconds: Seconds = Field(60, description="Upstream first-byte limit.")
    slow_first_byte_seconds: Seconds = Field(
        300, description="The same for reasoning, picture and research turns."
    )
    idle_seconds: Seconds = Field(90, description="Longest silence in an upstream stream.")
    slow_idle_seconds: Seconds = Field(
        300, description="The same for reasoning, picture and research turns."
    )
    resume_after_seconds: Seconds = Field(60, description="Silence after which resuming is tried.")
    request_seconds: Seconds = Field(900, description="Longest whole request.")
    slow_request_seconds: Seconds = Field(
        3600, description="The same for reasoning, picture and research turns."
    )
    keepalive_seconds: Seconds = Field(15, description="A comment is sent on a stream this often.")
    write_stall_seconds: Seconds = Field(
        30, description="A client that takes nothing for this long is dropped."
    )
    socket_idle_seconds: Seconds = Field(
        600, description="A WebSocket that asks for nothing for this long is closed."
    )
    drain_seconds: Seconds = Field(
        25, description="After SIGTERM running streams may go on this long."
    )
    body_limit_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Largest request body, after decompression."
    )
    bodies_limit_bytes: int = Field(
        256 * 1024 * 1024, ge=1024, description="Request bodies a worker holds at once, in all."
    )
    event_limit_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Largest single upstream event."
    )
    proof_seconds: Seconds = Field(30, description="Longest search for one proof of work.")
    compute_processes: int = Field(
        0, ge=0, le=64, description="Processes for CPU work per worker; 0 for one per core."
    )

    # --- state, files and logs
    data_dir: Path = Field(Path("data"), description="Where state lives.")
    database_url: Annotated[Secret, AfterValidator(is_database_url)] | None = Field(
        None,
        description="postgresql://… or sqlite:///FILE; unset: SQLite in DATA_DIR. PostgreSQL needs "
        "SECRET_KEY.",
    )
    secret_key: tuple[SecretKey, ...] = Field(
        (),
        description="Encrypts stored tokens, 16 characters or more; further ones are old keys that can "
        "still read. Unset: made in DATA_DIR.",
    )
    requests_kept_days: int = Field(
        14, ge=1, le=3650, description="How long records of requests are kept."
    )
    requests_kept_most: int = Field(
        1_000_000, ge=1000, le=100_000_000, description="Records of requests kept, at most."
    )
    usage_kept_days: int = Field(
        400, ge=1, le=3650, description="How long sums of usage and accounts' histories are kept."
    )
    responses_kept_days: int = Field(
        30, ge=1, le=3650, description="How long responses are kept that nobody continues."
    )
    responses_kept_most: int = Field(
        100_000, ge=1, le=100_000_000, description="Responses kept, at most."
    )
    responses_kept_bytes: int = Field(
        4 * 1024**3, ge=1024, description="What they take up at most, before they are packed."
    )
    log_content: bool = Field(
        False,
        description="Keep prompts and answers with the records of requests, encrypted; else no word of "
        "them is kept.",
    )
    tz: Annotated[str, AfterValidator(is_zone)] = Field(
        "", description="Time zone of schedules, such as Asia/Shanghai; empty: the system's."
    )
    config_poll_seconds: Seconds = Field(
        2, description="How often the YAML file is looked at for changes."
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(as_log_level)
    ] = Field("info", description="Least severe log line shown.")
    log_format: Literal["text", "json"] = Field("text", description="How log lines look.")
    log_path: Path = Field(Path("logs"), description="Where the log file lies.")
    log_file: Annotated[str, AfterValidator(is_file_name)] = Field(
        "", description="Name of a file that log lines are also written to; empty: none."
    )

    @property
    def upstreams(self) -> tuple[CompatibleEntry, ...]:
        """The other upstreams: those of the file, then the one of the variables."""
        if self.openai_compatible_base_url is None:
            return self.openai_compatible
        own = CompatibleEntry(
            name=self.openai_compatible_name,
            base_url=self.openai_compatible_base_url,
            api_key=self.openai_compatible_api_key,
            models=self.openai_compatible_models,
            proxy=self.openai_compatible_proxy,
        )
        return (*self.openai_compatible, own)
