"""What is in a file of Keras 2: `.h5` of either layout, `.weights.h5` and `.keras`. Only read."""

import contextlib
import io
import json
import zipfile

from lstm_zoo import checks

_CONFIG = 2**26  # bytes of a configuration, at most
_BYTES = 64  # of a file of weights for each number of the model: two moments of an optimizer fit


class File:
    """An open file: `config` is the model's, or None; weights come by a layer's name or its place.

    Attributes:
        config: the configuration of the model, where the file has one.
        names: the layers that have weights, in their order, or None where the file goes by places.
    """

    def __init__(self, file, config, most):
        self._file, self.config, self._most, self.names = file, config, most, None
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs:
            self._root = root
            layers = map(_text, root.attrs["layer_names"])
            self.names = [name for name in layers if len(root[name].attrs["weight_names"])]

    def by_name(self, layer):
        """The weights of a layer, those of the layers inside it too, in the order of Keras 2."""
        names = map(_text, self._root[layer].attrs["weight_names"])
        return [self._numbers(self._root[layer][name]) for name in names]

    def by_place(self, place):
        """The weights of one layer alone."""
        group = self._file.get(f"{place}/cell/vars") or self._file.get(f"{place}/vars") or {}
        return [self._numbers(group[str(k)]) for k in range(len(group))]

    def _numbers(self, dataset):
        """Those of a dataset that holds them itself, as many as the model has at most."""
        if (
            dataset.external
            or dataset.is_virtual
            or dataset.file.filename != self._file.file.filename
        ):
            raise ValueError(
                f"{dataset.name} must hold its numbers itself, got a link to another file"
            )
        if dataset.size > self._most:
            raise ValueError(f"{dataset.name} must fit the model, got shape {dataset.shape}")
        return dataset[()]


@contextlib.contextmanager
def opened(path, most):
    """A `File` for a model of `most` numbers; a ValueError whatever is wrong with it."""
    import h5py

    path, config = checks.path("path", path), None
    wrong = ValueError(f"path must be an .h5 or .keras file that Keras 2 wrote, got {str(path)!r}")
    with _whole(path):
        content = path
        if zipfile.is_zipfile(path):
            config, content = _unpacked(path, most, wrong)
        try:
            file = h5py.File(content, "r")
        except OSError:
            raise wrong from None
        with file:
            if "layer_names" not in file.get("model_weights", file).attrs and "layers" not in file:
                raise wrong
            if "model_config" in file.attrs:
                config = json.loads(_text(file.attrs["model_config"]))
            yield File(file, config, most)


def _unpacked(path, most, wrong):
    """The configuration and the file of weights inside a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        sizes = {part.filename: part.file_size for part in archive.infolist()}
        if {"metadata.json", "config.json", "model.weights.h5"} - set(sizes):
            raise wrong
        if max(sizes["config.json"], sizes["metadata.json"]) > _CONFIG:
            raise ValueError(f"{path} must have a configuration of less than {_CONFIG} bytes")
        if sizes["model.weights.h5"] > _BYTES * most + _CONFIG:
            raise ValueError(f"{path} must fit the model, which has {most} numbers")
        version = str(json.loads(archive.read("metadata.json")).get("keras_version"))
        if not version.startswith("2."):
            raise ValueError(
                f"path must be a file that Keras 2 wrote, got {str(path)!r} of Keras {version}; "
                "lz.load reads it"
            )
        return json.loads(archive.read("config.json")), io.BytesIO(archive.read("model.weights.h5"))


@contextlib.contextmanager
def _whole(path):
    """A damaged file may end in any error of h5py."""
    try:
        yield
    except ValueError:
        raise
    except Exception as problem:
        raise ValueError(f"{path} can't be read: {problem}") from problem


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)
