"""The layers inside a model, however deep."""


def every_layer(model):
    """A model or layer itself and every layer in it, in the order in which Keras tracks them."""
    # Public are the layers of a model (`model.layers`) and not those of a layer, such as what a
    # TimeDistributed or a layer of the user's own holds.
    return model._flatten_layers()
