"""Reads Keras 2 files: `.h5` in both layouts, `.weights.h5` and `.keras`."""

import contextlib
import io
import json
import zipfile

from lstm_zoo import checks

_CONFIG = 2**26  # largest size of a configuration in bytes
_BYTES = 64  # largest file size per number of the model, with room for an optimizer's two moments


class File:
    """An open file, with weights by the name of a layer or by its position.

    Attributes:
        config: the configuration of the model, or None if the file has none.
        names: the layers with weights, in order, or None if the file stores them by position.
    """

    def __init__(self, file, config, most):
        self._file, self.config, self._most, self.names = file, config, most, None
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs:
            self._root = root
            layers = map(_text, root.attrs["layer_names"])
            self.names = [name for name in layers if len(root[name].attrs["weight_names"])]

    def by_name(self, layer):
        """The weights of a layer and of the layers inside it, in the order of Keras 2."""
        names = map(_text, self._root[layer].attrs["weight_names"])
        return [self._numbers(self._root[layer][name]) for name in names]

    def by_place(self, place):
        """The weights of one layer, without the layers inside it."""
        group = self._file.get(f"{place}/cell/vars") or self._file.get(f"{place}/vars") or {}
        return [self._numbers(group[str(k)]) for k in range(len(group))]

    def _numbers(self, dataset):
        """Read a dataset; refuses links to other files and more numbers than the model has."""
        if (
            dataset.external
            or dataset.is_virtual
            or dataset.file.filename != self._file.file.filename
        ):
            raise ValueError(f"{dataset.name} must contain its numbers, got a link to another file")
        if dataset.size > self._most:
            raise ValueError(
                f"{dataset.name} must not have more numbers than the model, {self._most}, got "
                f"shape {dataset.shape}"
            )
        return dataset[()]


@contextlib.contextmanager
def opened(path, most):
    """A `File` for a model with `most` numbers; raises a `ValueError` for any bad file."""
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
            raise ValueError(f"{path} must have a configuration of at most {_CONFIG} bytes")
        if sizes["model.weights.h5"] > _BYTES * most + _CONFIG:
            raise ValueError(
                f"{path} must not be much larger than the model's {most} weights, got "
                f"{sizes['model.weights.h5']} bytes"
            )
        version = str(json.loads(archive.read("metadata.json")).get("keras_version"))
        if not version.startswith("2."):
            raise ValueError(
                f"path must be a file that Keras 2 wrote, got {str(path)!r} from Keras {version}; "
                "lz.load reads it"
            )
        return json.loads(archive.read("config.json")), io.BytesIO(archive.read("model.weights.h5"))


@contextlib.contextmanager
def _whole(path):
    """Turn the many errors that h5py raises for a damaged file into a `ValueError`."""
    try:
        yield
    except ValueError:
        raise
    except Exception as problem:
        raise ValueError(f"{path} can't be read: {problem}") from problem


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)
