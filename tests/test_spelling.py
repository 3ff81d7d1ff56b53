"""The error for a misspelt name or keyword suggests the nearest right one."""

import importlib
import inspect
import pickle

import keras
import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter

import lstm_zoo as lz

ROOMS = ["builders", "cells", "course", "datasets", "exporting", "forecasting", "inspection"]
ROOMS += ["labels", "layers", "naming", "plots", "presets", "recurrence", "sequences", "tasks"]
ROOMS += ["texts", "training", "weights", "widgets"]


def public():
    """Every function of a room and every class with an `__init__`, by its path."""
    for room in ROOMS:
        module = importlib.import_module(f"lstm_zoo.{room}")
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or (inspect.isclass(thing) and "__init__" in vars(thing)):
                yield f"{room}.{name}", thing


PUBLIC = dict(public())
PANEL = lz.panel({"unique_id": ["a"] * 3, "ds": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
FUNCTIONS = {path: thing for path, thing in PUBLIC.items() if inspect.isfunction(thing)}


@pytest.mark.parametrize("path", ["", *ROOMS])
def test_a_misspelt_name_raises_an_attribute_error_with_a_suggestion(path):
    module = importlib.import_module(f"lstm_zoo.{path}".rstrip("."))
    for name in module.__all__:
        wrong = name[:-2] + name[-1] + name[-2] + "x"
        with pytest.raises(AttributeError, match=f"no attribute '{wrong}'; did you mean '") as seen:
            getattr(module, wrong)
        assert seen.value.obj is None  # else Python adds a question of its own
    assert not hasattr(module, "__wrapped__")
    assert getattr(module, "nothing_of_the_kind", 3) == 3


def test_the_nearest_name_is_the_one_that_was_meant():
    for wrong, right in (
        ("build_clasifier", "build_classifier"),
        ("Build_Tagger", "build_tagger"),
        ("lstm", "LSTM"),
        ("window", "windows"),
    ):
        with pytest.raises(AttributeError, match=f"did you mean '{right}'"):
            getattr(lz, wrong)


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_misspelt_keyword_raises_a_type_error_with_a_suggestion(path):
    function = FUNCTIONS[path]
    parameters = inspect.signature(function).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return  # passes them on
    for one in parameters:
        if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) and len(one.name) > 3:
            message = rf"^{function.__name__}\(\) got an .* '{one.name}_'; did you mean '"
            with pytest.raises(TypeError, match=message):
                function(**{f"{one.name}_": None})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lz.LSTM(3, return_sequence=True), "'return_sequences'"),
        (lambda: lz.PeepholeLSTM(3, go_backward=True), r"PeepholeLSTM\(\) .* 'go_backwards'"),
        (lambda: lz.RNN(lz.LSTMCell(2), return_stat=True), "'return_state'"),
        (lambda: lz.LSTMCell(3, unit_forget_bas=True), "'unit_forget_bias'"),
        (lambda: lz.cells.Chrono(max_leg=3), "'max_lag'"),
        (lambda: lz.layers.layer_for("lstm", 3, statefull=True), "'stateful'"),
        (lambda: lz.GradientMonitor([1.0], [1.0], limt=3), "'limit'"),
        (lambda: PANEL.windows(1, 1, shufle=True), "'shuffle'"),
        (lambda: lz.LSTM(3, forget_bia=1.0), "'forget_bias'"),
    ],
)
def test_a_misspelt_keyword_of_a_layer_cell_or_method_has_a_suggestion(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_other_errors_are_not_changed():
    with pytest.raises(ValueError, match="^units must be a whole number of at least 1, got -3$"):
        lz.LSTM(-3, name="units")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'num_classes'"):
        lz.build_classifier(input_shape=(5, 2))


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_object_is_the_same_under_all_its_names(path):
    thing = PUBLIC[path]
    home = importlib.import_module(thing.__module__)
    assert getattr(home, thing.__name__) is thing
    assert getattr(lz, path.split(".")[1], thing) is thing or path.split(".")[0] in (
        *("cells", "datasets", "training", "presets"),
    )
    assert pickle.loads(pickle.dumps(thing)) is thing
    if inspect.isfunction(thing):
        assert thing.__doc__
        raw = inspect.unwrap(thing)
        assert inspect.signature(thing) == inspect.signature(raw)
        assert inspect.getsource(thing) == inspect.getsource(raw)


def test_keras_still_reads_the_arguments_of_a_layer():
    layer = keras.layers.deserialize(keras.layers.serialize(lz.LSTM(3, "relu", name="memory")))
    assert (layer.units, layer.name, keras.activations.serialize(layer.activation)) == (
        *(3, "memory", "relu"),
    )
    assert inspect.getfullargspec(lz.LSTM.__init__).args[:3] == ["self", "units", "activation"]


@pytest.mark.parametrize("jedi", [True, False])
def test_the_tab_key_offers_the_keywords_of_a_builder(jedi):
    completer = IPCompleter(namespace={"lz": lz}, use_jedi=jedi)
    for begun, keyword in (("lstm_", "lstm_units="), ("learn", "learning_rate=")):
        code = f"lz.build_tagger({begun}"
        with provisionalcompleter():
            offered = [found.text for found in completer.completions(code, len(code))]
        assert keyword in offered
