/* A trained model as a list of steps over arrays, run by one call, in plain C. What the files share:

     plan.c                       the call: its checks, the threads, the memory, the steps in turn
     layers.h                     the steps, each a function on some rows of the batch
     recurrent.h                  the step of a recurrent layer
     serving_plain.c, _avx2.c, _avx512.c   all steps, for one kind of processor each

   Threads, buffers and the products of packed weights come from lstm_zoo/recurrence/native. Python
   writes the plans: lstm_zoo/serving/compiled.py has the same structures and numbers. */

#ifndef LSTM_ZOO_SERVING_H
#define LSTM_ZOO_SERVING_H

#include <math.h>

#include "../../recurrence/native/lstm.h"

enum { MOST_INPUTS = 8, MOST_OUTPUTS = 4, MOST_OPTIONS = 12, MOST_WEIGHTS = 6, MOST_VALUES = 512 };

/* An array of a plan, (batch, steps, width). `steps` is a place in the sizes of a call. */
enum place { SCRATCH, INPUT, OUTPUT };
struct value {
  int64_t steps, width, place, number; /* of the inputs, or of the outputs */
};

/* What a step reads and writes, by number of value; -1 where there is none. */
struct step {
  int64_t operation;
  int64_t in[MOST_INPUTS], out[MOST_OUTPUTS];
  int64_t options[MOST_OPTIONS];
  double number;
  const float *weights[MOST_WEIGHTS];
};

struct plan {
  int64_t values_count, steps_count, inputs_count;
  const struct value *values;
  const struct step *steps;
  const int64_t *checked; /* of each input: 1 where its numbers must be finite */
};

enum operation {
  AFFINE, NOT_EQUAL, ANY, MASKING, EMBEDDING, RECURRENT, DENSE, ACTIVATION, MEAN, MAXIMUM, ATTENTION,
  LAYER_NORM, COMBINE, COPY, WINDOW_SCALE, SEASONAL, SCALED_BACK, CONVOLUTION, PERMUTE, DOT_ATTENTION,
  MEAN_STEP, MAXIMUM_STEP, ATTENTION_STEP, CONSTANT, BEST_PATH
};

enum activation {
  LINEAR, RELU, TANH, SIGMOID, SOFTMAX, EXPONENTIAL, SILU, ELU, SOFTPLUS, SOFTSIGN, HARD_SIGMOID, GELU
};

/* What went wrong in a call: 0, or one of these and the number of the input. */
enum problem { NO_MEMORY = 1, NOT_FINITE = 2, NO_TOKEN = 3 };

/* Some rows of the batch on their way through the plan. */
struct rows {
  const struct plan *plan;
  const int64_t *sizes;
  int64_t count;  /* of rows */
  int alone;      /* whether a step may be cut for the threads */
  float **at;     /* of each value, at the first of the rows */
  float *scratch; /* of a step */
  _Atomic int *problem;
};

/* A value as a step sees it. */
struct view {
  float *at; /* NULL where there is none */
  int64_t steps, width;
};

struct serving {
  const char *name;
  int width; /* numbers in a vector */
  void (*run)(const struct step *step, const struct rows *rows);
  int64_t (*scratch)(const struct step *step, const struct rows *rows); /* floats that it needs */
};
extern const struct serving serving_plain SHARED, serving_avx2 SHARED, serving_avx512 SHARED;

SHARED struct view view_of(const struct rows *rows, int64_t value);

#endif
