"""Where a document is written: what is refused before any work, and how files are named in forms that point to them."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

from wnverify import publishing
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.report import results


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_only(monkeypatch: pytest.MonkeyPatch, *places: Path) -> None:
    """For root too, whom no mode keeps from writing."""
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).resolve() not in places and access(path, mode), raising=True
    )


@pytest.mark.parametrize(
    ("protected", "said"),
    [
        ("out", "--sarif must be a file that can be written; 'out' may not be"),
        ("out/s.json", "'out/s.json' may not be"),
    ],
)
def test_a_file_that_may_not_be_written_is_refused(
    protected: str, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own mode or by that of its folder, where a new one is made before the old one is replaced."""
    (folder / "out").mkdir()
    (folder / "out/s.json").write_text("old")
    read_only(monkeypatch, folder / protected)
    with pytest.raises(ValueError, match=said):
        publishing.check_files({"json": None, "sarif": "out/s.json"})


def test_two_options_do_not_name_one_file(folder: Path) -> None:
    """By whatever way; a device takes what two of them write."""
    (folder / "link").symlink_to("r.json")
    with pytest.raises(ValueError, match=r"--json and --junit must be two files; both are 'link'"):
        publishing.check_files({"json": "r.json", "junit": "link", "sarif": None, "html": None})
    publishing.check_files({"json": "/dev/null", "junit": "/dev/null", "sarif": "-", "html": "h.html"})


def test_a_folder_that_cannot_be_made_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a file, or below a folder that may not be written."""
    (folder / "file").write_text("")
    with pytest.raises(ValueError, match="--out must be a folder; 'file' is a file"):
        publishing.check_folder("out", "file/reports/latest")
    read_only(monkeypatch, folder)
    with pytest.raises(ValueError, match=r"--out must be a folder that can be written; '\.' may not be"):
        publishing.check_folder("out", "reports/latest")


@pytest.mark.parametrize(
    ("below", "uri"),
    [("packages/one", "packages/one/src/my_norm.py"), (".", "src/my_norm.py"), (None, "src/my_norm.py")],
)
def test_a_step_in_a_subfolder_names_files_from_the_root_of_the_repository(
    below: str | None, uri: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SARIF and annotations alike; nothing changes where the run is not below the checked-out repository."""
    repository = folder / "repository"
    here = repository / below if below else folder / "elsewhere"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(repository))
    found = Finding(
        kind="check",
        id="check/my_norm.py:N/a.b",
        subject="my_norm.py:N",
        check="a.b",
        verdict=Verdict.FAIL,
        statement="s",
        routes=(Evidence(route="exact", verdict=Verdict.FAIL),),
        replay="python -m wnverify audit src/my_norm.py:N --check a.b",
    )
    doc = results.document([found], environment={}, timing={})
    arguments = argparse.Namespace(json=None, sarif="s.json", github=True)
    publishing.publish(doc, arguments, strict=False)
    publishing.annotate(doc, arguments, strict=False)
    (result,) = json.loads(Path("s.json").read_text("utf-8"))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
    assert f"::error file={uri},line=1," in capsys.readouterr().out
