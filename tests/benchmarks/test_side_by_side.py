"""The harness: turns, ratios, memory, promises, and that a contender made slower is seen."""

import pickle
from functools import partial

import pytest
from planted_steps import TICK, allocating, contender, dying, held, raising, spinning, told

from benchmarks import __main__ as command
from benchmarks.rows import Aim, Row, line
from benchmarks.side_by_side import MIB, Contender, Times, measure
from wnverify.finding import Verdict
from wnverify.report import results
from wnverify.report.benchmarked import benchmarks
from wnverify.report.digest import digest

FASTER = Aim("faster", "peer", 2.0, why="a pass too many", floor="least", least="one pass")


def row(*, ours=TICK, peer=4 * TICK, judge=None, aim=FASTER, name="planted/row"):
    contenders = (contender("ours", ours), contender("peer", peer), contender("least", TICK / 2))
    settings = {} if judge is None else {"judge": judge}
    return Row(name, "planted work", (aim,), contenders, turns=3, **settings)


def wrong(_):
    return Verdict.FAIL, "the values differ", {}


@pytest.fixture(scope="module")
def measured():
    return row().run()


@pytest.fixture(scope="module")
def slower():
    """The planted fault: ours made four times slower."""
    return row(ours=4 * TICK).run()


def test_a_contender_made_slower_is_seen(measured, slower):
    """The promise is kept by the fast one and broken by the one made four times slower."""
    assert measured.sound
    assert measured.lines[0].met
    assert not slower.sound
    assert measured.lines[0].value / slower.lines[0].value > 2


def test_turns_are_counted_and_the_median_lies_between_least_and_most(measured):
    """Every contender has all its turns, and a ratio lies within its spread."""
    assert [len(each.seconds) for each in measured.times.values()] == [3, 3, 3]
    (only,) = measured.lines
    assert only.least <= only.value <= only.most


def test_a_miss_says_why_and_how_near_the_limit(slower):
    """The reason, and ours over the contender that does the least."""
    why = slower.lines[0].to_json()["why"]
    assert why.startswith("a pass too many; ")
    assert why.endswith("times one pass")


def test_what_is_added_is_reckoned_for_a_larger_batch():
    """An added half of a step is a hundredth of one fifty times as long; where the aim is met nothing is said."""
    aim = Aim("time", "peer", 1.1, why="small batch", diluted=50)
    times = {"peer": Times([1.0])}
    assert (
        line(aim, {**times, "ours": Times([1.5])}).to_json()["why"].endswith("at 50 times the batch, reckoned, 1.01 ×")
    )
    assert line(aim, {**times, "ours": Times([1.0])}).to_json()["why"] == ""


def test_what_the_clock_says_is_in_timing_alone(measured, slower):
    """A run that is four times slower has the very same finding."""
    assert measured.finding == slower.finding
    assert measured.timing() != slower.timing()


def test_memory_is_that_of_the_step():
    """A step that needs 64 MiB more is seen to, also after a making that needed more than that."""
    contenders = {"small": partial(allocating, 1), "large": partial(allocating, 65), "making": partial(held, 65)}
    found = measure([Contender(name, make) for name, make in contenders.items()], 1)
    assert abs(found["making"].peak - found["large"].peak) / MIB < 8
    grown = (found["large"].peak - found["small"].peak) / MIB
    assert 56 < grown < 72


def test_one_that_takes_too_long_is_stopped_and_known_by_its_limit():
    """The peer counts with its limit, times its scale, as a lower bound."""
    found = measure([contender("ours"), contender("peer", 60.0, limit=0.2, scale=3.0)], 1)
    assert found["peer"].cut
    made = line(Aim("faster", "peer", 2.0), found)
    assert made.met
    assert made.to_json()["measured"].startswith("> ")
    assert made.value == pytest.approx(0.2 * 3.0 / found["ours"].median)


def test_the_limit_is_that_of_one_call():
    """A contender whose first two calls together are longer than the limit, and neither by itself, is timed."""
    found = measure([contender("slow", 0.8, limit=1.1)], 1)["slow"]
    assert not found.cut
    assert 0.75 < found.median < 1.1


def test_a_part_of_the_work_is_multiplied_and_the_end_is_told():
    """``scale`` multiplies the seconds; ``tell`` is asked in the contender's process."""
    found = measure([contender("once", tell=told), contender("a thousand", scale=1000.0)], 1)
    assert found["once"].told == 41.0
    assert 300 < found["a thousand"].median / found["once"].median < 3000


@pytest.mark.parametrize(("make", "said"), [(raising, "no such map"), (dying, "its process died")])
def test_one_that_fails_is_named(make, said):
    """A contender that raises or dies ends the run with its name."""
    with pytest.raises(RuntimeError, match=f"(?s)wrong one.*{said}"):
        measure([Contender("wrong one", make)], 1)


def test_bad_requests_are_refused_before_anything_runs(tmp_path, capsys):
    """Two contenders of one name, no turns, a pattern that fits nothing, a folder that is none, an unknown figure."""
    with pytest.raises(ValueError, match="names differ"):
        measure([contender("a"), contender("a")])
    with pytest.raises(ValueError, match="turns must be at least 1"):
        measure([contender("a")], 0)
    with pytest.raises(ValueError, match="of must be one of"):
        Aim("speed")
    for words in (["--row", "nothing*"], ["--turns", "0"], ["--parts", str(tmp_path / "none")]):
        with pytest.raises(SystemExit):
            command.main(words, {"planted": [row()]})
        assert words[0] in capsys.readouterr().err


def fixed(name, seconds, judge=None, aim=FASTER):
    """A row whose times are given."""

    def of(_):
        return {"ours": Times([seconds]), "peer": Times([1.0]), "least": Times([0.1])}

    settings = {} if judge is None else {"judge": judge}
    return Row(name, f"work of {name}", (aim,), measured=of, **settings)


@pytest.mark.parametrize(
    ("seconds", "promise", "judge", "status"),
    [(0.25, None, None, 0), (0.8, 1.0, None, 0), (0.8, None, None, 1), (2.0, 1.0, None, 1), (0.25, None, wrong, 1)],
    ids=["met", "missed but as promised", "missed", "promise broken", "other work"],
)
def test_the_exit_status_is_that_of_the_promises(seconds, promise, judge, status, capsys):
    """1 where a promise that is kept today is broken, or the contenders do not do the same."""
    aim = Aim("faster", "peer", 2.0, promise, "a pass too many")
    assert command.main([], {"planted": [fixed("planted/row", seconds, judge, aim)]}) == status
    assert "work of planted/row" in capsys.readouterr().out


def test_only_whole_families_are_written(tmp_path, capsys):
    """A part of all rows, none of a family that a pattern cut."""
    known = {"maps": [fixed("a/x", 0.25), fixed("b/x", 0.25)], "theory": [fixed("c/x", 0.25)]}
    assert command.main(["--row", "a/*", "--row", "c/*", "--parts", str(tmp_path)], known) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["benchmarks.theory.json"]
    assert "as promised" in capsys.readouterr().err


def taken(tmp_path, known):
    """A report with the written parts taken in."""
    command.main(["--parts", str(tmp_path)], known)
    stored = [results.read(path) for path in sorted(tmp_path.iterdir())]
    return results.take_part(results.document([], environment={}, timing={}), *stored)


def test_the_report_has_one_table_of_all_families(tmp_path):
    """A line for every aim, with its reason where it is missed, and none of a stale part."""
    known = {"maps": [fixed("a/x", 0.25), fixed("b/x", 0.8)], "theory": [fixed("c/x", 0.25)]}
    doc = taken(tmp_path, known)
    rows = benchmarks(digest(doc)).rows
    assert [(row[0], row[3]) for row in rows] == [
        ("work of a/x", "4 ×"),
        ("work of b/x", "1.25 ×"),
        ("work of c/x", "4 ×"),
    ]
    assert [row[-1].split(":")[0] for row in rows] == ["met", "promise broken, missed", "met"]
    doc["parts"]["benchmarks.maps"]["stale"] = True
    assert [row[0] for row in benchmarks(digest(doc)).rows] == ["work of c/x"]


def test_both_views_show_the_table(tmp_path):
    """Markdown and HTML have aim, figure and reason; the list of times has not the whole table again."""
    from wnverify.report.views import html, markdown

    doc = taken(tmp_path, {"maps": [fixed("b/x", 0.8)]})
    for text in (markdown.render(doc), html.render(doc)):
        assert text.count("1.25 ×") == 1
        assert "a pass too many; 8 times one pass" in text


def test_every_row_is_listed_and_named_once(capsys):
    """The ids of all families differ, and each begins a finding's id; nothing is measured for the list."""
    known = command.families()
    ids = [row.id for rows in known.values() for row in rows]
    assert len(ids) == len(set(ids)) > 40
    assert command.main(["--list"], known) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(ids)


def test_every_contender_can_be_sent_to_its_process():
    """Whatever a row hands to another process survives the way there: no local function among them."""
    rows = [row for rows in command.families().values() for row in rows]
    sent = [pickle.dumps((each.make, each.tell)) for row in rows for each in row.contenders]
    sent += [pickle.dumps(row.measured) for row in rows if row.measured]
    assert len(sent) > 100
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(Contender("local", lambda: None).make)


def test_spinning_takes_its_time():
    """The planted step is what the tests above think it is."""
    found = measure([Contender("ours", partial(spinning, 10 * TICK))], 1)
    assert 0.9 * 10 * TICK < found["ours"].median < 2 * 10 * TICK
