"""Perturbs random starting weights in every Python process that finds this folder on its path.

Python runs `sitecustomize` before everything else, so the kernels of notebooks and the processes
that tests start are reached too, and the package knows nothing of it. Each weight that Keras draws
is multiplied by 1 + e, where e is normal with standard deviation 1e-6: about as much as the sums
of two processors differ after a few steps. PERTURB_WEIGHTS is the seed of e.
"""

import importlib.machinery
import os
import sys

RELATIVE = 1e-6
RANDOM = (
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",  # and its subclasses: Glorot, He, LeCun
)


def perturbed(draw, seed):
    import numpy as np

    def draw_and_perturb(self, shape, dtype=None, **options):
        from keras import ops

        weights = draw(self, shape, dtype, **options)
        e = RELATIVE * np.random.default_rng(seed).standard_normal(shape)
        return weights * ops.cast(1 + e, weights.dtype)

    return draw_and_perturb


class AfterInitializers:
    """A finder of modules that wraps Keras's initializers once they are loaded."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "keras.initializers":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def load_and_wrap(module):
            load(module)
            for kind in RANDOM:
                initializer = getattr(module, kind)
                initializer.__call__ = perturbed(initializer.__call__, seed)

        spec.loader.exec_module = load_and_wrap
        return spec


if "PERTURB_WEIGHTS" in os.environ:
    seed = int(os.environ["PERTURB_WEIGHTS"])
    sys.meta_path.insert(0, AfterInitializers)
