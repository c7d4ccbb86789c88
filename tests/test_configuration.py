"""``[tool.wnverify]`` of a project: what is read, what is refused, and when a call uses it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from wnverify import configuration
from wnverify.auditcall import AuditCall, resolve
from wnverify.cli import _parser
from wnverify.configuration import Configuration, Target, read, subject_name
from wnverify.waivers import Waiver

WHOLE = """
[tool.other]
targets = 3

[tool.wnverify]
targets = ["src/my_norm.py:MyNorm", "torch.nn.utils.parametrizations:weight_norm"]
checks = ["gradient.*"]
quick = true
strict = true
seed = 7
timeout = 90

[tool.wnverify.arguments]
radius = 2.0

[tool.wnverify.declare]
unit_norm_rows = true

[[tool.wnverify.waivers]]
check = "edge.zero_row"
reason = "never zero"
expires = 2027-01-31
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a configuration, and the current folder in it."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "my_norm.py").write_text("def MyNorm(V):\n    return V\n")
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> AuditCall:
    return resolve(_parser().parse_args(["audit", *words]))


def test_every_key_is_read(project: Path) -> None:
    """Each key has its value; another tool's table is not looked at."""
    assert read(project) == Configuration(
        targets=(Target(target="src/my_norm.py:MyNorm"), Target(target="torch.nn.utils.parametrizations:weight_norm")),
        arguments={"radius": 2.0},
        declare={"unit_norm_rows": True},
        checks=("gradient.*",),
        quick=True,
        strict=True,
        seed=7,
        timeout=90,
        waivers=(Waiver(check="edge.zero_row", reason="never zero", expires=datetime.date(2027, 1, 31)),),
    )


def test_a_folder_below_uses_the_projects_file_and_finds_its_targets(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are named relative to the pyproject.toml, and found from wherever the call is made."""
    monkeypatch.chdir(project / "src")
    assert read(Path.cwd()).targets[0].target == "my_norm.py:MyNorm"
    assert call().specs[0].subject == "my_norm.py:MyNorm"


def test_without_file_or_table_nothing_is_said(tmp_path: Path) -> None:
    """The nearest pyproject.toml counts, also where it has no table for us."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert read(tmp_path) == Configuration()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("target = []", "unknown key 'target'; did you mean 'targets'? the keys are targets, arguments, declare"),
        ("zzz = 1", "unknown key 'zzz'; the keys are targets"),
        ("targets = 'a.b:c'", "tables, [[tool.wnverify.targets]]; got 'a.b:c'"),
        ("targets = [1]", "targets must be a list of TARGET strings, or of tables, [[tool.wnverify.targets]]; got [1]"),
        (
            "targets = [{target = 'a:b', declares = {}}]",
            "targets[0]: unknown key 'declares'; did you mean 'declare'? the keys are target, arguments, declare",
        ),
        ("targets = ['a:b', {kind = 'penalty'}]", "targets[1]: target is missing; it is package.module:name"),
        ("targets = [{target = 'a:b', kind = 1}]", "targets[0]: kind must be parametrization, projection or penalty"),
        ("targets = [{target = 'a:b', declare = 1}]", "targets[0]: declare must be a table of names and plain values"),
        ("targets = [{target = 'a:b', waive = {'edge.tall' = 1}}]", "waive must be a table from checks to the reason"),
        ("targets = [{target = 'a:b', waive = {'edge.tall' = ' '}}]", "targets[0]: reason of a waiver must be text"),
        ("quick = 1", "quick must be true or false; got 1"),
        ("strict = 'yes'", "strict must be true or false; got 'yes'"),
        ("seed = true", "seed must be a whole number; got True"),
        ("timeout = 0", "timeout must be a positive number of seconds; got 0"),
        ("declare = {'a b' = 1}", "declare must be a table of names and plain values"),
        ("arguments = {since = 2027-01-31}", "arguments must be a table of names and plain values"),
        ("waivers = {check = 'a.b'}", "waivers must be tables, [[tool.wnverify.waivers]]"),
        ("waivers = [{check = 'a.b'}]", "waivers[0]: reason is missing"),
        ("quick = ", "pyproject.toml: not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    """The message begins with the file and names key, value and what is known."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.wnverify]\n{text}\n")
    with pytest.raises(ValueError, match=r"^pyproject\.toml: ") as caught:
        read(tmp_path)
    assert said in str(caught.value)


def test_a_call_without_target_is_what_the_project_says(project: Path) -> None:
    """Targets with their arguments and declarations, checks, quick, strict, seed, timeout, waivers."""
    made = call()
    assert [spec.subject for spec in made.specs] == [
        "my_norm.py:MyNorm",
        "torch.nn.utils.parametrizations:weight_norm",
    ]
    assert {(spec.arguments["radius"], spec.declare["unit_norm_rows"]) for spec in made.specs} == {(2.0, True)}
    assert (made.checks, made.seed, made.quick, made.strict, made.timeout_s) == (("gradient.*",), 7, True, True, 90)
    assert [waiver.check for waiver in made.waivers] == ["edge.zero_row"]


def test_the_command_line_goes_before_the_project(project: Path) -> None:
    """What is said at the call holds; waivers and declarations add up."""
    words = ("--seed", "0", "--timeout", "5", "--check", "edge.*", "--declare", "odd", "--waive", "a.b=because")
    made = call(*words)
    assert (made.seed, made.timeout_s, made.checks) == (0, 5.0, ["edge.*"])
    assert made.specs[0].declare == {"unit_norm_rows": True, "odd": True}
    assert [(waiver.check, waiver.reason) for waiver in made.waivers][1:] == [("a.b", "because")]


def test_a_call_with_target_says_everything_itself(project: Path) -> None:
    """A replay command does the same in every folder: the project's settings are not for it, nor are its mistakes."""
    (project / "pyproject.toml").write_text("[tool.wnverify]\nnope = 1\n")
    made = call("src/my_norm.py:MyNorm")
    assert (made.seed, made.quick, made.strict, made.timeout_s, made.checks) == (0, False, False, 60.0, ())
    assert (made.waivers, made.specs[0].declare) == ([], {})
    with pytest.raises(ValueError, match="unknown key 'nope'"):
        call()


def test_no_target_anywhere_says_where_one_could_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the command line or in the project's file."""
    (tmp_path / "pyproject.toml").write_text("[tool.wnverify]\nquick = true\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"TARGET is missing: .* or targets in \[tool\.wnverify\] of pyproject\.toml"):
        call()


ONE_BY_ONE = """
[tool.wnverify]
arguments = {radius = 2.0}
declare = {odd = true}

[[tool.wnverify.targets]]
target = "src/my_norm.py:MyNorm"
kind = "projection"
arguments = {radius = 3.0, eps = 0.5}
declare = {idempotent = true}
waive = {"edge.scale" = "weights stay small"}

[[tool.wnverify.targets]]
target = "cwn"

[[tool.wnverify.waivers]]
check = "edge.zero_row"
reason = "never zero"
"""


def test_a_target_that_is_a_table_says_more_than_all_say(project: Path) -> None:
    """Its arguments and declarations go before those of all targets, its kind and its waivers are its own."""
    (project / "pyproject.toml").write_text(ONE_BY_ONE)
    first, second = call("--declare", "convex").specs
    assert (first.subject, first.kind) == ("my_norm.py:MyNorm", "projection")
    assert first.arguments == {"radius": 3.0, "eps": 0.5}
    assert first.declare == {"odd": True, "idempotent": True, "convex": True}
    assert (second.arguments, second.declare) == ({"radius": 2.0}, {"odd": True, "convex": True})
    said = [(waiver.check, waiver.subject) for waiver in call().waivers]
    assert said == [("edge.zero_row", None), ("edge.scale", "my_norm.py:MyNorm")]


@pytest.mark.parametrize(
    "target",
    [
        "src/my_norm.py:MyNorm",
        "torch.nn.utils.parametrizations:weight_norm",
        "cwn",
        "weight_standardization[eps=0.0 eps_inside=False]",
    ],
)
def test_a_waiver_of_a_target_names_it_as_findings_do(project: Path, target: str) -> None:
    """The name under which findings are filed."""
    assert subject_name(target) == call(target).specs[0].subject


def test_every_key_is_described_and_checked() -> None:
    """A key without a rule for its value would be read unseen."""
    for table, rules, alone in (
        (Configuration, configuration._VALUES, {"waivers"}),
        (Target, configuration._OF_TARGET, set()),
    ):
        keys = set(table.__dataclass_fields__)
        assert set(rules) == keys - alone
        assert all(f"``{name}``" in (table.__doc__ or "") for name in keys - {"target"})
