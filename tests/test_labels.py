import numpy as np
import pytest

from lstm_zoo import encode_labels


@pytest.mark.parametrize(
    ("labels", "y", "names"),
    [
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        (np.array(["b", "a"]), [1, 0], ("a", "b")),
        (np.array(["b", "a"], dtype=object), [1, 0], ("a", "b")),
        ([True, False, True], [1, 0, 1], ("False", "True")),
        ([7, 3, 10], [1, 0, 2], ("3", "7", "10")),
        ([2.0, 1.0], [1, 0], ("1", "2")),
        (np.array([[3], [4]]), [0, 1], ("3", "4")),
        ([[0, 0, 1], [1, 0, 0]], [2, 0], ("0", "1", "2")),
        (np.eye(2, dtype=bool), [0, 1], ("0", "1")),
    ],
)
def test_labels_of_any_kind_become_integers(labels, y, names):
    got = encode_labels(labels)
    assert got.y.tolist() == y
    assert got.y.dtype == np.int32
    assert got.names == names


def test_names_determine_the_order():
    names = ("walk", "run", "sit")
    assert encode_labels(["run", "walk"], names).y.tolist() == [1, 0]
    assert encode_labels([3.0, 5.0], ("5", "4", "3")).y.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([], None, "labels must not be empty"),
        (["a", None], None, "labels must be whole numbers or names, got None"),
        ([1.0, float("nan")], None, "labels must not be missing, got NaN"),
        ([0.5, 1.0], None, "labels must be whole numbers or names, got 0.5"),
        (
            np.array(["a", 1], dtype=object),
            None,
            "labels must all be of the same kind, got names, numbers",
        ),
        (["a", 1], None, "labels must all be of the same kind, got names, numbers"),
        (["a", float("nan")], None, "labels must not be missing, got NaN"),
        ([True, 1], None, "labels must all be of the same kind, got booleans, numbers"),
        (["run"], ("run", "walk", "run"), "names must name each class once, got 'run' twice"),
        (["wolk"], ("walk", "run"), "labels must be one of walk, run, got 'wolk'; did you mean"),
        ([[1, 1], [0, 1]], None, "one-hot"),
        ([[0, 1], [1, 0]], ("a",), "names must hold 2 names, one per column, got 1"),
        (np.zeros((2, 2, 2)), None, r"labels must be \(samples,\) or one-hot rows"),
    ],
)
def test_bad_labels_are_named(labels, names, message):
    with pytest.raises(ValueError, match=message):
        encode_labels(labels, names)
