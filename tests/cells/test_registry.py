"""The names of cells, and hand-written derivatives, which belong to exactly one class."""

import keras
import pytest

import lstm_zoo as lz
from lstm_zoo import cells
from lstm_zoo.cells import registry


@pytest.fixture
def own_names(monkeypatch):
    """Names that a test registers are forgotten after it."""
    monkeypatch.setattr(registry, "_CELLS", dict(registry._CELLS))


def test_registered_cell_is_known_by_its_name(own_names):
    @cells.register("silent")
    class Silent(lz.LSTMCell):
        pass

    assert cells.get("silent") is Silent
    assert "silent" in cells.names()
    assert keras.saving.get_registered_name(Silent) == "lstm_zoo>Silent"
    model = lz.build_regressor((4, 2), cell="silent", lstm_units=(3,))
    assert isinstance(model.get_layer("recurrent_1"), lz.RNN)


def test_taken_names_and_other_classes_than_cells_are_refused(own_names):
    with pytest.raises(
        ValueError, match="name must not be taken, got 'lstm', the name of LSTMCell"
    ):

        @cells.register("lstm")
        class Other(lz.LSTMCell):
            pass

    with pytest.raises(ValueError, match="a registered cell must be a subclass of Cell, got"):
        cells.register("gru")(keras.layers.GRUCell)


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="got 'peephol'; did you mean 'peephole'?"):
        cells.get("peephol")


def test_hand_written_derivatives_belong_to_one_class_with_usual_activations():
    class Same(lz.LSTMCell):
        """The same equations; but who knows?"""

    assert cells.derivatives(lz.LSTMCell(2)) is not None
    assert cells.derivatives(Same(2)) is None
    assert cells.derivatives(lz.LSTMCell(2, activation="relu")) is None
