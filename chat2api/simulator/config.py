"""What the simulator pretends to be: one frozen object, replaced as a whole by the control routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Era = Literal["2024", "2026"]
Variant = Literal["sha3", "fnv"]
Rotation = Literal["rotate", "keep"]


class Config(BaseModel):
    """Every switch of the simulator. Times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    generation: Literal["2024", "2026", "both"] = Field(
        default="both",
        description="Which routes exist: one-call sentinel and /conversation, or the new ones.",
    )
    classic_status: Literal[404, 405] = Field(
        default=405, description="Answer to a logged-in POST /conversation in generation 2026."
    )
    encoding: Literal["auto", "v1", "snapshot"] = Field(
        default="auto", description="Stream encoding; auto follows `supported_encodings`."
    )
    # --- sentinel
    sentinel: Literal["required", "off"] = Field(
        default="required", description="off: conversation calls need no requirements token."
    )
    difficulty: str = Field(
        default="0fffff",
        pattern=r"^[0-9a-fA-F]{1,128}$",
        description="Asked of every proof of work.",
    )
    pow_required: bool = Field(default=True, description="Whether a proof of work is asked at all.")
    variant: Literal["auto", "sha3", "fnv"] = Field(
        default="auto", description="Hash of the proof; auto: sha3 for one call, fnv for two steps."
    )
    token_seconds: float = Field(
        default=540, gt=0, description="Life of seeds and sentinel tokens."
    )
    token_uses: int = Field(
        default=1, ge=1, description="Conversation calls one requirements token opens."
    )
    prepare_header: bool = Field(
        default=True, description="Two-step: the conversation call must carry the prepare token."
    )
    token_in_prepare: bool = Field(
        default=False, description="Two-step: `token` also in the first answer."
    )
    so_token: bool = Field(default=False, description="Hand out `so_token` and expect it back.")
    turnstile: bool = Field(default=False, description="Say that a Turnstile answer is required.")
    turnstile_enforced: bool = Field(
        default=False, description="And refuse conversation calls that come without one."
    )
    arkose: bool = Field(default=False, description="Say that an Arkose answer is required.")
    force_login: bool = Field(default=False, description="Say that anonymous use is refused.")
    # --- logins
    lifetime_seconds: float = Field(
        default=864_000, gt=0, description="Life of access tokens of accounts without a wish."
    )
    refresh_invalidates_access: bool = Field(
        default=False, description="A refresh ends the older access tokens of the account."
    )
    rotation: Rotation = Field(
        default="rotate",
        description="Refresh tokens are good once; keep: for ever, and answers carry none.",
    )
    legacy_rotation: Rotation = Field(
        default="keep", description="The same for those of 45 characters."
    )
    refresh_seconds: float = Field(
        default=0, ge=0, description="Life of a refresh token; 0: without end."
    )
    refresh_overlap_seconds: float = Field(
        default=0, ge=0, description="A spent refresh token is honoured for so long."
    )
    reuse_kills_family: bool = Field(
        default=False, description="A spent refresh token that comes again ends the newest, too."
    )
    oauth_errors: Literal["auto", "object", "string", "code"] = Field(
        default="auto",
        description="Where the token endpoint's errors say their code: `error.code`, `error`, "
        "`code`; auto: the first for refresh_token_…, else the second.",
    )
    # --- people who log in
    device_login: Literal["offered", "not_offered"] = Field(
        default="offered", description="not_offered: asking for a device code is 404."
    )
    device_code_field: Literal["user_code", "usercode"] = Field(
        default="user_code", description="Under which name the code is answered."
    )
    device_interval: float = Field(
        default=5, gt=0, description="Seconds between two questions about a device code."
    )
    device_interval_form: Literal["text", "number"] = Field(
        default="text", description="How that interval is written."
    )
    device_seconds: float = Field(default=900, gt=0, description="Life of a device code.")
    device_expiry: Literal["none", "expires_in", "expires_at"] = Field(
        default="none", description="Whether and how its life is told."
    )
    device_pending: Literal["403", "404", "authorization_pending"] = Field(
        default="403", description="The answer while nobody has entered it."
    )
    device_slow_down: bool = Field(
        default=False, description="Questions that come too soon are answered slow_down."
    )
    # --- who and what
    anonymous: bool = Field(default=True, description="Serve /backend-anon at all (else 401).")
    unknown_models: Literal["accept", "refuse"] = Field(
        default="accept",
        description="Slugs outside the list: pass them through, or 404 model_not_found.",
    )
    max_message_chars: int = Field(default=500_000, ge=1, description="Longer input is 413.")
    max_parallel_turns: int = Field(
        default=0, ge=0, description="Per account; more is 429. 0: no limit."
    )
    quota_form: Literal["clears_in", "resets_at"] = Field(
        default="clears_in", description="How the 429 of a used-up quota says when it ends."
    )
    conduit: Literal["ok", "missing"] = Field(
        default="ok", description="missing: conversation prepare answers without a token."
    )
    echo_inputs: Literal["all", "user", "none"] = Field(
        default="all", description="Which sent messages the stream repeats before the answer."
    )
    compat_key: str = Field(
        default="sk-compat", description="Key of /compat/v1; empty: none is asked for."
    )
    # --- the Codex backend
    codex_logins: Literal["codex", "any"] = Field(
        default="codex", description="Whose access tokens open it: Codex's own, or every program's."
    )
    codex_account_header: Literal["required", "optional"] = Field(
        default="required", description="Whether ChatGPT-Account-ID must come along."
    )
    codex_instructions: Literal["required", "optional"] = Field(
        default="required", description="optional: they may be missing or empty."
    )
    codex_output: Literal["empty", "full"] = Field(
        default="empty", description="Whether the last event repeats the items of the answer."
    )
    codex_week_turns: int = Field(
        default=0, ge=0, description="Turns of a second window of seven days; 0: there is none."
    )
    # --- tempo
    scenario: str = Field(default="echo", description="Played when nothing else was chosen.")
    pacing: float = Field(default=100, ge=0, description="Pace of the answer; 0: none.")
    first_token_seconds: float = Field(
        default=0.35, ge=0, description="Pause before the answer starts."
    )
    cheap: bool = Field(
        default=False,
        description="Benchmarks: accept any proof, keep no request bodies or documents.",
    )

    def changed(self, updates: Mapping[str, Any]) -> Config:
        """A copy with `updates`; raises pydantic.ValidationError on unknown names or bad values."""
        return Config.model_validate({**self.model_dump(), **updates})

    def variant_for(self, era: Era) -> Variant:
        """The proof's hash for a sentinel flow: one call (2024) or two steps (2026)."""
        if self.variant != "auto":
            return self.variant
        return "sha3" if era == "2024" else "fnv"
