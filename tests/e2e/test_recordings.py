"""Every recorded stream, sent again by the upstream, comes out of the real server as it should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "recordings" / "chatgpt"
FOLDERS = (FOLDER, FOLDER / "transcripts")
RECORDINGS = sorted(path for folder in FOLDERS for path in folder.glob("*.sse"))


def expected(recording: Path) -> Any:
    return json.loads((recording.parent / "expected.json").read_text("utf-8"))[recording.name]


# A turn that failed is no place to go on from, and the recordings of others do not tell their ids.
WITH_IDS = [
    path
    for path in RECORDINGS
    if "conversation_id" in expected(path) and expected(path)["error"] is None
]


def check(answer: Any, wanted: Any, *, stream: bool) -> None:
    error = wanted.get("error")
    if error is not None and not stream:
        assert answer.status == 502
    else:
        assert (answer.text, answer.images) == (wanted["text"], tuple(wanted["images"]))
        assert answer.reasoning == wanted.get("reasoning", "")
        assert answer.finish_reason == wanted.get("finish_reason", "stop")
    assert answer.done is (error is None or not stream)
    assert answer.code == (error and error["code"])


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.stem)
def recording(request: pytest.FixtureRequest, upstream: Any) -> Path:
    path: Path = request.param
    url = f"{upstream.url}/_sim/recordings/{path.stem}"
    assert upstream.http.post(url, data=path.read_bytes()).status_code == 200
    return path


def test_there_are_recordings() -> None:
    assert len(RECORDINGS) >= 12
    for folder in FOLDERS:
        named = set(json.loads((folder / "expected.json").read_text("utf-8")))
        assert named == {path.name for path in folder.glob("*.sse")}


@pytest.mark.parametrize("stream", [False, True])
def test_whole(server: Any, ask: Any, recording: Path, stream: bool) -> None:
    answer = ask(server, f"/sim replay name={recording.stem}", stream=stream)
    check(answer, expected(recording), stream=stream)


@pytest.mark.parametrize("cut", range(1, 8))
def test_cut_in_small_pieces(server: Any, ask: Any, recording: Path, cut: int) -> None:
    answer = ask(server, f"/sim replay name={recording.stem} cut={cut}", stream=True)
    check(answer, expected(recording), stream=True)


@pytest.mark.parametrize("recording", WITH_IDS, indirect=True, ids=lambda path: path.stem)
def test_kept_turns_say_where_they_are_kept(server: Any, ask: Any, recording: Path) -> None:
    wanted = expected(recording)
    for stream in (False, True):
        text = f"/sim replay name={recording.stem}"
        answer = ask(server, text, stream=stream, history_disabled=False)
        check(answer, wanted, stream=stream)
        ids = (answer.conversation_id, answer.message_id)
        assert ids == (wanted["conversation_id"], wanted["message_id"])
