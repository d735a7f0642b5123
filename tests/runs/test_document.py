"""YAML with lines: every value knows where it stands, nothing in a file runs, nothing is silently dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayes_glmm.errors import ConfigError, SpecError
from bayes_glmm.runs.document import document_text, read_document


@pytest.fixture
def write(tmp_path):
    def to_file(text: str):
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def test_every_value_knows_its_line(write):
    document = read_document(write("a:\n  b: 1\n\n  c: [x,\n    y]\nd:\n- e: 2\n- e: 3\n"))
    assert document.values == {"a": {"b": 1, "c": ["x", "y"]}, "d": [{"e": 2}, {"e": 3}]}
    lines = {("a",): 1, ("a", "b"): 2, ("a", "c"): 4, ("a", "c", 1): 5, ("d", 1): 8, ("d", 1, "e"): 8, (): 1}
    assert {keys: document.line(*keys) for keys in lines} == lines


def test_a_key_that_is_not_there_has_the_line_of_its_section(write):
    assert read_document(write("x: 1\na:\n  b: 1\n")).line("a", "zz", "deeper") == 2


def test_anchors_and_merges_are_read_and_keep_the_line_of_what_they_name(write):
    document = read_document(write("a: &it\n  b: 1\nc: *it\nd:\n  <<: *it\n  e: 2\n"))
    assert document.values["c"] == {"b": 1}
    assert document.values["d"] == {"b": 1, "e": 2}
    assert document.line("d", "b") == 2
    assert document.line("d", "e") == 6


def test_truth_values_numbers_and_dates_are_as_in_yaml_1_2(write):
    values = read_document(write("a: [no, yes, on, off, true, 1e-3, 2.5, .5, 3, 2026-01-01, null]\n")).values["a"]
    assert values == ["no", "yes", "on", "off", True, 0.001, 2.5, 0.5, 3, "2026-01-01", None]


@pytest.mark.parametrize(
    "text", ["0100", "01", "-07", "1:30", "190:20:30", "1:30.5", "0x1F", "0o17", "0b1", "1_000", "1_0.5", "01.5", "00"]
)
def test_what_is_no_plain_number_is_read_as_it_is_written(write, text):
    assert read_document(write(f"a: {text}\n")).values == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-0", 0), ("+5", 5), ("-12", -12), ("0.50", 0.5), ("0e3", 0.0), ("-.5", -0.5), ("True", True)],
)
def test_plain_numbers_and_truth_values_are_read_as_such(write, text, value):
    found = read_document(write(f"a: {text}\n")).values["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", r"'c' stands twice.*line 4; first on line 3"),
        ("a: [1, 2\nb: 3\n", "line 2"),
        ("a: !!python/object/apply:os.getcwd []\n", "could not determine a constructor.*line 1"),
        ("- 1\n- 2\n", "holds no keys"),
        ("", "holds no keys"),
        ("? [1, 2]\n: 3\n", "A key is not a word"),
        ("a: \x00\n", "not valid YAML"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(write, text, message):
    with pytest.raises(ConfigError, match=message):
        read_document(write(text))


def test_a_file_that_is_not_text_or_not_there(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_document(path)
    with pytest.raises(ConfigError, match=r"no such config file.*a\.yaml"):
        read_document(tmp_path / "b.yaml")


def test_an_alias_of_itself_does_not_hang(write):
    assert read_document(write("a: &x [1, *x]\n")).values["a"][0] == 1


def test_many_aliases_of_aliases_are_refused_in_no_time(write):
    rows = ["a0: &a0 {k: 1}"] + [f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}" for i in range(1, 60)]  # 2^59 paths
    assert len(read_document(write("\n".join(rows[:10]))).values) == 10
    with pytest.raises(ConfigError, match="aliases of aliases"):
        read_document(write("\n".join(rows)))


def test_errors_of_lower_layers_get_file_and_line(write):
    document = read_document(write("model:\n  formula: y\n"))
    with (
        pytest.raises(ConfigError, match=r"wrong\. \[.*config\.yaml, line 2: y\] Do this\."),
        document.at("model", "formula"),
    ):
        raise SpecError("wrong.", "y", "Do this.")


# without control characters and line separators, which PyYAML writes as line breaks and folds on reading
PRINTED = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(PRINTED))
KEYS = st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1).filter(lambda key: key != "<<")


@given(
    st.dictionaries(
        KEYS, st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)), min_size=1
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"
    path.write_text(document_text(values), encoding="utf-8", newline="\n")
    assert read_document(path).values == values


@pytest.mark.parametrize("text", ["1e-3", "no", "true", "2026-01-01", "1:30", "010", "~", ".5", ""])
def test_text_that_looks_like_something_else_stays_text(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(document_text({"a": text}), encoding="utf-8")
    assert read_document(path).values == {"a": text}
