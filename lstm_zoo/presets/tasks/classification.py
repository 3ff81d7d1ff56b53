"""Classifies sequences and words."""

import numpy as np

from lstm_zoo import builders, checks
from lstm_zoo.presets import reading
from lstm_zoo.presets.tasks.base import Task, flat
from lstm_zoo.presets.tasks.registry import register

BUILDERS = {"classifier": builders.build_classifier, "lstm_fcn": builders.build_lstm_fcn}


@register("classification")
class Classification(Task):
    """Classification of sequences; `model` may name its `builder`, and padding is masked.

    It reads a CSV file with one step per row and one feature per column, named in the first line or
    in the order of the data set. A column `sample` separates sequences.
    """

    metric = "test accuracy"
    higher_is_better = True
    loss = "sparse_categorical_crossentropy"
    metrics = ["accuracy"]

    @classmethod
    def network(cls, recipe):
        return "LSTM-FCN" if recipe.model.get("builder") == "lstm_fcn" else "LSTM"

    def training_part(self):
        return self.data.x_train, self.data.y_train

    def build(self, cell=None):
        x = self.data.x_train
        arguments = self.arguments(cell)
        builder = arguments.pop("builder", "classifier")
        checks.one_of("builder", builder, BUILDERS)
        shape = x.shape[1:]
        if self.data.lengths_train is not None:
            shape, arguments["mask_value"] = (None, x.shape[2]), 0.0
            if builder == "lstm_fcn":
                arguments["dimension_shuffle"] = False
        return BUILDERS[builder](
            shape, len(self.data.class_names), normalise=x, name=self.recipe.name, **arguments
        )

    def scores(self, model):
        predicted = model.predict(self.data.x_test, verbose=0).argmax(axis=-1)
        return {"accuracy": float(np.mean(predicted == self.data.y_test))}

    def baselines(self):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        data = self.data
        majority = np.bincount(data.y_train).argmax()
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        linear.fit(flat(data.x_train), data.y_train)
        return {
            "majority class": float(np.mean(data.y_test == majority)),
            "linear model on flattened input": linear.score(flat(data.x_test), data.y_test),
        }

    def samples(self, model, path):
        """The sequences of a user's file."""
        return reading.sequences(path, self.data.feature_names, model.input_shape[1])

    def answer(self, model, path):
        names = self.data.class_names
        for number, probabilities in reading.in_batches(model, self.samples(model, path)):
            best = int(probabilities.argmax())
            probability = round(float(probabilities[best]), 4)
            yield {"sample": number, self.data.target: names[best], "probability": probability}

    def draw(self, model, ax=None):
        """A confusion matrix."""
        from lstm_zoo import plots

        data = self.data
        predicted = model.predict(data.x_test, verbose=0)
        return plots.plot_confusion(data.y_test, predicted, data.class_names, ax=ax)


@register("classification of words")
class Words(Classification):
    """Classification of words, letter by letter. It reads a text file with one word per line."""

    def build(self, cell=None):
        return builders.build_classifier(
            (None,),
            len(self.data.class_names),
            vocabulary_size=len(self.data.vocabulary) + 1,
            mask_value=0,
            name=self.recipe.name,
            **self.arguments(cell),
        )

    def baselines(self):
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        def read(rows):
            return ["".join(self.data.vocabulary[n - 1] for n in row if n) for row in rows]

        found = super().baselines()
        del found["linear model on flattened input"]  # of letters' numbers
        for longest in (1, 3):
            counts = CountVectorizer(analyzer="char_wb", ngram_range=(1, longest))
            linear = make_pipeline(counts, LogisticRegression(max_iter=2000))
            linear.fit(read(self.data.x_train), self.data.y_train)
            name = "letters" if longest == 1 else "1- to 3-letter groups"
            score = linear.score(read(self.data.x_test), self.data.y_test)
            found[f"linear model on counts of {name}"] = score
        return found

    def example(self):
        words = ["".join(self.data.vocabulary[n - 1] for n in row if n) for row in self.data.x_test]
        return "\n".join(words[::100][:5]) + "\n"

    def samples(self, model, path):
        numbers = {letter: n for n, letter in enumerate(self.data.vocabulary, start=1)}
        for line, text in reading.texts(path, "word"):
            text = text.lower()
            unknown = sorted(set(text) - set(numbers))
            if unknown:
                raise ValueError(
                    f"line {line} of {path} must hold {''.join(numbers)!r} only, got {unknown[0]!r}"
                )
            yield np.array([numbers[letter] for letter in text], "int32")
