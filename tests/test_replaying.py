"""``wnverify replay``: findings of a results.json are found again, or not."""

import pytest

from wnverify import cli, replaying
from wnverify.finding import Evidence, Finding, Verdict
from wnverify.papers import claims
from wnverify.replaying import chosen, replay
from wnverify.report import results


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """A run keeps its journal in the working folder, and two of the same run there refuse each other."""
    monkeypatch.chdir(tmp_path)


def stored(**changes):
    (finding,) = claims.decide("CWN-P1-SIGN", quick=True)
    return finding.replace(**changes)


def document(path, *findings):
    ordered = sorted(findings, key=lambda finding: finding.id)
    results.write(path, results.document(ordered, environment=results.environment(), timing={}))
    return str(path)


def test_a_witness_is_found_again_in_a_fresh_process():
    """The stored command gives the same verdict and the same witness."""
    done = replay(stored())
    assert done.same, done.problem


@pytest.mark.parametrize(
    "changes",
    [{"verdict": Verdict.HOLDS}, {"witness": {"sigma2": 3}}],
    ids=["another verdict", "another witness"],
)
def test_what_does_not_come_out_again_differs(changes):
    """A changed verdict or witness in the file is noticed."""
    done = replay(stored(**changes))
    assert done.found is not None
    assert not done.same


@pytest.mark.parametrize("command", ["", "rm -rf x", "python -m wnverify report", "python -m other claims X"])
def test_only_commands_of_the_lab_are_run(command):
    """A file cannot make the lab run something else."""
    done = replay(stored(replay=command))
    assert not done.same
    assert "is no command of the lab" in done.problem


def test_a_command_that_fails_is_a_problem_not_a_match():
    """An unknown id: the command's own message is told."""
    done = replay(stored(replay="python -m wnverify claims CWN-NONE"))
    assert not done.same
    assert "matches no decided claim" in done.problem


def test_findings_are_chosen_by_id_check_or_witness(tmp_path):
    """Patterns match ids and checks; without one everything with a witness is taken."""
    bare = Finding(
        kind="check",
        id="check/a/b",
        subject="a",
        check="b",
        verdict=Verdict.PASS,
        statement="s",
        routes=(Evidence(route="exact", verdict=Verdict.PASS),),
    )
    path = document(tmp_path / "r.json", stored(), bare)
    assert [f.check for f in chosen(path, [])] == ["CWN-P1-SIGN"]
    assert [f.check for f in chosen(path, ["check/a/*"])] == ["b"]
    assert [f.check for f in chosen(path, ["CWN-*"])] == ["CWN-P1-SIGN"]


@pytest.mark.parametrize(
    ("content", "patterns", "said"),
    [
        (None, [], "there is no file"),
        ("{", [], "not strict JSON"),
        ("{}", [], "schema must be"),
        ("good", ["nothing"], "'nothing' matches no finding"),
    ],
)
def test_a_wrong_file_or_pattern_is_named(tmp_path, content, patterns, said):
    """A ``ValueError`` before anything is run."""
    path = tmp_path / "r.json"
    if content == "good":
        document(path, stored())
    elif content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=said):
        chosen(str(path), patterns)


def test_the_command_says_what_came_out_again(tmp_path, capsys):
    """Exit code 0 where all is as stored, 1 where something differs."""
    good = document(tmp_path / "good.json", stored())
    bad = document(tmp_path / "bad.json", stored(verdict=Verdict.HOLDS, strength="proved"))
    for path, code, word in ((good, 0, "again"), (bad, 1, "DIFFERS")):
        assert cli.main(["replay", path]) == code
        assert capsys.readouterr().out.split()[0] == word


PYTHON = 'python -c "from wnverify.numerics import search"'


def test_what_is_no_command_of_the_lab_is_counted_and_no_difference(tmp_path, monkeypatch, capsys):
    """Lines for Python and calls with live objects: told on one line, and the exit code is that of the others."""
    monkeypatch.setattr(replaying, "replay", lambda stored: replaying.Replayed(stored, stored))
    others = [
        stored(id=f"claim/cwn/C{number}", replay=words) for number, words in enumerate((PYTHON, "wnverify.audit(N)"))
    ]
    path = document(tmp_path / "r.json", stored(), *others)
    assert cli.main(["replay", path]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("again  claim/cwn/CWN-P1-SIGN: ")
    assert second.startswith("not replayable here  2 findings whose replay")
    assert "DIFFERS" not in first + second


@pytest.mark.parametrize("replay", [None, PYTHON, "wnverify.audit(N)", "python -m wnverify audit 'open"])
def test_nothing_to_replay_is_a_wrong_call(replay, tmp_path, capsys):
    """A file of which nothing was asked again is not said to have come out again."""
    assert cli.main(["replay", document(tmp_path / "r.json", stored(replay=replay))]) == 2
    assert "nothing to replay" in capsys.readouterr().err


def test_no_word_of_the_file_steers_the_terminal(tmp_path, monkeypatch, capsys):
    """Ids and messages are of the file's making."""
    monkeypatch.setattr(replaying, "replay", lambda stored: replaying.Replayed(stored, None, "\x1b[2J\rgone"))
    assert cli.main(["replay", document(tmp_path / "r.json", stored())]) == 1
    assert not set(capsys.readouterr().out) & {"\x1b", "\r"}
