"""``wnverify numerics``: which topics of the lab are asked, of which methods, on which device, and what comes out."""

import json

import pytest

from wnverify import cli
from wnverify.numbers import items, named
from wnverify.numerics.topics import PATIENCE, TOPICS, judged
from wnverify.report.results import validate

GIVEN = {"seed": 3, "quick": True, "timeout_s": 5.0, "memory_mib": 100.0}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The command runs where its journal bothers nobody."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_is_asked_of_every_method_on_the_processor():
    """Without a name or a pattern: each topic once, or once a method, with seed, pace and limits handed on."""
    made = items((), (), device="cpu", **GIVEN)
    methods = [method.id for method in judged()]
    expected = [f"method/{each}/{t.name}" for t in TOPICS for each in (methods if t.each else ["every_method"])]
    assert [item.id for item in made] == expected
    for item in made:
        topic = next(each for each in TOPICS if each.name == item.check)
        assert (item.arguments["seed"], item.arguments["quick"]) == (3, True)
        assert item.timeout_s == max(5.0, PATIENCE * topic.seconds[1])
        assert topic.arguments.items() <= item.arguments.items()


def test_on_a_device_only_what_runs_there_is_asked():
    """A topic that takes no device would give the findings of the processor under another name."""
    made = items(["weight_decay"], (), device="cuda:1", **GIVEN)
    assert (
        {item.check for item in made} == {topic.name for topic in TOPICS if topic.device} >= {"elsewhere", "precision"}
    )
    assert {item.arguments["device"] for item in made} == {"cuda:1"}


def test_topics_and_methods_are_chosen_by_name():
    """A pattern chooses topics, names choose methods, in the order of the lab."""
    made = items(["norm_loss", "weight_decay"], ["else*"], device="cpu", **GIVEN)
    assert [item.id for item in made] == ["method/norm_loss/elsewhere", "method/weight_decay/elsewhere"]


def test_a_method_has_the_names_of_the_catalogue_and_is_asked_once():
    """As elsewhere any of its names will do; two names of one method are no second item."""
    assert named(["cwn", "weight_decay", "centred_weight_normalization", "CWN"]) == [
        "centred_weight_normalization",
        "weight_decay",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nonsense"], "METHOD must be one of weight_normalization, "),
        (["weight_decay", "--only", "nonsense"], "--only must match one of agreement, elsewhere"),
        (
            ["--only", "sharding", "--device", "cuda"],
            "--only must match one of agreement, elsewhere, precision on cuda",
        ),
        (["--device", "nonsense"], "device must be one that holds numbers (cpu, cuda, cuda:1, mps, xpu)"),
        (["--json", "no/such/folder/r.json"], "--json"),
    ],
    ids=["method", "topic", "topic without a device", "device", "destination"],
)
def test_a_wrong_word_ends_the_command_before_any_work(elsewhere, capsys, words, told):
    """Exit code 2, the argument and what came named on standard error, and no journal left."""
    assert cli.main(["numerics", *words]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert not list(elsewhere.rglob("*.jsonl"))


def test_a_machine_without_the_device_ends_well(elsewhere, capsys):
    """Exit code 0, one finding a topic, all ``unsupported``, and the environment says that the device was not found."""
    words = ["numerics", "weight_decay", "--only", "elsewhere", "--device", "cuda:97", "--json", "-", "--quiet"]
    assert cli.main(words) == 0
    doc = json.loads(capsys.readouterr().out)
    validate(doc, "standard output")
    assert [(each["check"], each["verdict"]) for each in doc["findings"]] == [("elsewhere.device", "unsupported")]
    assert (doc["environment"]["device"]["asked"], doc["environment"]["device"]["found"]) == ("cuda:97", False)
    assert doc["parts"]["device"]["asked"]["device"] == "cuda:97"


def test_the_findings_of_a_method_are_shown_and_written(elsewhere, capsys):
    """The sheet on the terminal, the same findings in the file, exit code 0, and no journal left."""
    assert cli.main(["numerics", "weight_decay", "--only", "else*", "--quick", "--quiet", "--json", "r.json"]) == 0
    doc = json.loads((elsewhere / "r.json").read_text())
    checks = {each["check"]: each["verdict"] for each in doc["findings"]}
    assert checks["elsewhere.strided"] == checks["elsewhere.compiled"] == "pass"
    assert "weight_decay" in capsys.readouterr().out
    assert doc["environment"]["device"] == {"asked": "cpu"}
    assert not list(elsewhere.rglob("*.jsonl"))
