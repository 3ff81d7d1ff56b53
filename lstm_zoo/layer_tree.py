"""Lists all layers of a model, however deeply nested."""


def every_layer(model):
    """A model or layer and every layer inside it, in the order in which Keras tracks them."""
    # Keras publishes the layers of a model (`model.layers`), but not those inside a layer, such as
    # a TimeDistributed or a custom layer.
    return model._flatten_layers()


def run_through(graph, inputs, call):
    """Go through the graph of a functional model in order, with other values than its tensors.

    Args:
        graph: a `keras.Model` made of `keras.Input`.
        inputs: a value for each of its inputs.
        call: gets a layer or operation and what it is called with, and returns its outputs.

    Returns:
        The values of the model's outputs.
    """
    # Keras has no public way: `clone_model` wants all inputs of the result to be the model's.
    return graph._run_through_graph(inputs, operation_fn=lambda layer: layer, call_fn=call)
