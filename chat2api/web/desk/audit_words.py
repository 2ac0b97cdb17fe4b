"""The actions of the audit log in the reader's language; one that is not known here stands as it is."""

from __future__ import annotations

from chat2api.settings.mask import clip
from chat2api.web.languages import gettext


def action_words(action: str) -> str:
    return _of_people(action) or _of_accounts(action) or _of_files(action) or clip(action)


def _of_people(action: str) -> str:
    match action:
        case "sign in":
            return gettext("Signed in")
        case "sign in failed":
            return gettext("Sign-in failed")
        case "password refused":
            return gettext("Wrong password")
        case "sign out":
            return gettext("Signed out")
        case "sign out others":
            return gettext("Signed out all others")
        case "end session":
            return gettext("Session ended")
        case "create key":
            return gettext("Key created")
        case "change key":
            return gettext("Key changed")
        case "revoke key":
            return gettext("Key revoked")
        case "begin login":
            return gettext("Login begun")
        case "finish login":
            return gettext("Login finished")
        case "cancel login":
            return gettext("Login cancelled")
        case "account logged in":
            return gettext("Account logged in")
        case "login refused":
            return gettext("Login turned away")
        case "try a request":
            return gettext("Request tried")
        case "put off":
            return gettext("Reminder put off")
        case "cancel job":
            return gettext("Job stopped")
        case "retry job":
            return gettext("Job tried again")
        case _:
            return ""


def _of_accounts(action: str) -> str:
    match action:
        case "add accounts" | "add tokens":
            return gettext("Accounts added")
        case "import accounts":
            return gettext("Accounts imported")
        case "export accounts":
            return gettext("Accounts exported with secrets")
        case "fetch export":
            return gettext("Export fetched")
        case "export failed tokens":
            return gettext("Failed tokens exported")
        case "export list":
            return gettext("List exported")
        case "remove accounts" | "remove tokens":
            return gettext("Accounts removed")
        case "forget accounts":
            return gettext("Accounts removed for good")
        case "clear tokens":
            return gettext("All accounts removed")
        case "restore accounts" | "restore tokens":
            return gettext("Accounts restored")
        case "check accounts":
            return gettext("Accounts checked")
        case "renew accounts" | "refresh accounts":
            return gettext("Accounts renewed")
        case "lift accounts" | "lift limits":
            return gettext("Cooldown lifted")
        case "pause accounts" | "disable accounts":
            return gettext("Accounts paused")
        case "resume accounts" | "enable accounts":
            return gettext("Accounts resumed")
        case "change account":
            return gettext("Account changed")
        case "change proxies":
            return gettext("Proxies changed")
        case "undo change of account":
            return gettext("Change of account undone")
        case "account_needs_login":
            return gettext("Account has to log in again")
        case _:
            return ""


def _of_files(action: str) -> str:
    match action:
        case "change configuration":
            return gettext("Configuration changed")
        case "config_loaded":
            return gettext("Configuration taken over")
        case "config_refused":
            return gettext("Configuration refused")
        case "delete configuration backup":
            return gettext("Copy of the configuration deleted")
        case "restore backup":
            return gettext("Backup restored")
        case "clock_jumped":
            return gettext("The clock jumped")
        case "kept_tokens_stored":
            return gettext("Kept tokens stored")
        case "renewal_interrupted":
            return gettext("A renewal was interrupted")
        case _:
            return ""
