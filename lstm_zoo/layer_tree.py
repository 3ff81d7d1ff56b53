"""Lists all layers of a model, however deeply nested."""


def every_layer(model):
    """A model or layer and every layer inside it, in the order in which Keras tracks them."""
    # Keras publishes the layers of a model (`model.layers`), but not those inside a layer, such as
    # a TimeDistributed or a custom layer.
    return model._flatten_layers()
