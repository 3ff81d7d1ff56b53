"""Which class a sequence, or a word, belongs to."""

import numpy as np

from lstm_zoo import builders, checks
from lstm_zoo.presets.kinds.base import Kind, flat

BUILDERS = {"classifier": builders.build_classifier, "lstm_fcn": builders.build_lstm_fcn}


class Classification(Kind):
    """`model` may name its `builder`; sequences of unequal length are masked."""

    metric = "test accuracy"
    higher_is_better = True
    loss = "sparse_categorical_crossentropy"
    metrics = ["accuracy"]

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


class Words(Classification):
    """Classification of words, letter by letter."""

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
            name = "letters" if longest == 1 else "groups of one to three letters"
            score = linear.score(read(self.data.x_test), self.data.y_test)
            found[f"linear model on counts of {name}"] = score
        return found
