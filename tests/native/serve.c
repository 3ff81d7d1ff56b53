/* Each operation of a predictor's plan, at random sizes, under sanitizers: `make test-native`.

   Every array has memory of its own and of exactly its size, so that AddressSanitizer sees a step that
   leaves it. A row must give the same bits alone as in the batch, and in several threads at once. The
   numbers themselves are compared with Keras's in tests/serving. */

#include <pthread.h>
#include <stdio.h>

#include "../../lstm_zoo/serving/native/serving.h"

int lstm_zoo_serve(const struct plan *plan, int64_t rows, const int64_t *sizes,
                   const void *const *inputs, void *const *outputs);
const char *lstm_zoo_serving_simd(void);
int lstm_zoo_serving_width(void);

enum { MOST = 16, OWNED = 64, CALLERS = 4, ONE = 0, T = 1, OTHER = 2 };
enum content { NUMBERS, MASK, TOKENS };

/* A plan that grows, and what its calls read and write. */
struct made {
  struct plan plan;
  struct value values[MOST];
  struct step steps[4];
  enum content contents[MOST];
  int64_t checked[MOST], sizes[3], outputs, rows;
  void *owned[OWNED];
  int owned_count;
};

static uint32_t seed = 1;
static uint32_t draw(uint32_t below) { return (seed = seed * 1664525u + 1013904223u) / 256 % below; }

static void *own(struct made *M, void *memory) { return M->owned[M->owned_count++] = memory; }

static float *numbers(struct made *M, int64_t count) {
  float *x = own(M, malloc(sizeof(float) * (count ? count : 1)));
  for (int64_t k = 0; k < count; k++) x[k] = draw(2000) / 1000.0f - 1;
  return x;
}

static int64_t array(struct made *M, int64_t size, int64_t width, enum place place, enum content content) {
  const int64_t k = M->plan.values_count++;
  M->values[k] = (struct value){size, width, place, 0};
  M->contents[k] = content;
  if (place == INPUT) M->values[k].number = M->plan.inputs_count++;
  if (place == OUTPUT) M->values[k].number = M->outputs++;
  return k;
}

static int64_t input(struct made *M, int64_t size, int64_t width) { return array(M, size, width, INPUT, NUMBERS); }
static int64_t output(struct made *M, int64_t size, int64_t width) { return array(M, size, width, OUTPUT, NUMBERS); }
static int64_t mask(struct made *M, int64_t size) { return draw(3) ? array(M, size, 1, INPUT, MASK) : -1; }

static struct step *step(struct made *M, enum operation operation, int64_t in, int64_t out) {
  struct step *step = M->steps + M->plan.steps_count++;
  *step = (struct step){.operation = operation, .number = 1};
  for (int k = 0; k < MOST_INPUTS; k++) step->in[k] = k ? -1 : in;
  for (int k = 0; k < MOST_OUTPUTS; k++) step->out[k] = k ? -1 : out;
  return step;
}

/* Numbers of packed weights: see lstm_zoo/serving/packing.py. */
static int64_t up(int64_t count, int64_t to) { return (count + to - 1) / to * to; }
static int64_t panels(int64_t lines, int64_t columns) {
  const int64_t v = lstm_zoo_serving_width();
  return lines * up(columns, columns <= v ? v : 4 * v);
}
static int64_t by_gate(int64_t lines, int64_t units) { return lines * 4 * up(units, lstm_zoo_serving_width()); }
static int64_t whole(int64_t lines, int64_t units) { return lines * up(units, 4 * lstm_zoo_serving_width()); }

/* options of a recurrent step: see recurrent.h */
static void recurrent(struct made *M, int64_t D, int64_t H) {
  const int64_t kind = draw(4), last = draw(2), offset = draw(3), x = input(M, T, D);
  const int64_t y = output(M, last ? ONE : T, offset + H + draw(3));
  struct step *s = step(M, RECURRENT, x, last ? -1 : y);
  s->out[1] = last ? y : -1;
  s->in[1] = mask(M, T);
  for (int k = 2; k < 3 + (kind == 0); k++) {
    if (draw(2)) s->in[k] = input(M, ONE, H);
    if (draw(2)) s->out[k] = output(M, ONE, H);
  }
  const int64_t half = kind < 3 && draw(2); /* W and U in bfloat16 */
  const int64_t options[] = {kind, H, draw(2), draw(2), offset, draw(2), draw(2), draw(2), half};
  memcpy(s->options, options, sizeof options);
  const int64_t of_kind[4][5] = {
      {by_gate(D, H), by_gate(H, H), by_gate(1, H), draw(2) * 3 * H, 0},
      {by_gate(D, H), by_gate(H, H), by_gate(1, H), 0, 0},
      {whole(D, H), whole(H, H), whole(1, H), 0, 0},
      {panels(D, 3 * H), panels(1, 3 * H), panels(H, 2 * H), panels(H, H), panels(1, 2 * H)}};
  for (int k = 0; k < 5; k++) {
    const int64_t count = of_kind[kind][k] / (half && k < 2 ? 2 : 1);
    s->weights[k] = count ? numbers(M, count) : NULL;
  }
}

static void each_line(struct made *M, int64_t D, int64_t H) {
  const int64_t x = input(M, T, D), a = array(M, T, D, SCRATCH, NUMBERS), b = array(M, T, H, SCRATCH, NUMBERS);
  struct step *s = step(M, AFFINE, x, a);
  for (int k = 0; k < 3; k++) s->weights[k] = numbers(M, D);
  s = step(M, DENSE, a, b);
  s->options[0] = draw(GELU + 1);
  s->weights[0] = numbers(M, panels(D, H)), s->weights[1] = numbers(M, panels(1, H));
  const int64_t c = array(M, T, H, SCRATCH, NUMBERS);
  s = step(M, ACTIVATION, b, c);
  s->options[0] = draw(GELU + 1);
  s = step(M, LAYER_NORM, c, output(M, T, H));
  s->weights[0] = numbers(M, H), s->weights[1] = numbers(M, H);
}

static void masks(struct made *M, int64_t D, int64_t H) {
  (void)H;
  const int64_t x = input(M, T, D), ones = output(M, T, D);
  step(M, NOT_EQUAL, x, ones);
  step(M, ANY, ones, output(M, T, 1));
  step(M, MASKING, x, output(M, T, D))->out[1] = output(M, T, 1);
}

static void tokens(struct made *M, int64_t D, int64_t H) {
  const int64_t x = array(M, T, 1, INPUT, TOKENS);
  struct step *s = step(M, EMBEDDING, x, output(M, T, H));
  s->options[0] = D;
  s->weights[0] = numbers(M, D * H);
  M->checked[0] = 0;
  s = step(M, NOT_EQUAL, x, output(M, T, 1));
  s->options[0] = 1;
}

static void attention_of(struct made *M, struct step *s, int64_t D, int64_t H) {
  s->options[0] = H;
  s->weights[0] = numbers(M, panels(D, H)), s->weights[1] = numbers(M, panels(1, H));
  s->weights[2] = numbers(M, H);
}

static void pooling(struct made *M, int64_t D, int64_t H) {
  const int64_t x = input(M, T, D), on = mask(M, T);
  const enum operation operations[] = {MEAN, MAXIMUM, ATTENTION};
  for (int k = 0; k < 3; k++) {
    struct step *s = step(M, operations[k], x, output(M, ONE, D));
    s->in[1] = on, s->options[0] = 1;
    if (operations[k] == ATTENTION) attention_of(M, s, D, H);
  }
}

static void pooling_step(struct made *M, int64_t D, int64_t H) {
  const enum operation operation = MEAN_STEP + draw(3);
  struct step *s = step(M, operation, input(M, ONE, D), output(M, ONE, D));
  s->in[1] = mask(M, ONE);
  const int states = operation == ATTENTION_STEP ? 3 : 2;
  for (int k = 0; k < states; k++) {
    s->in[2 + k] = input(M, ONE, k ? 1 : D);
    s->out[1 + k] = output(M, ONE, k ? 1 : D);
  }
  if (operation == ATTENTION_STEP) attention_of(M, s, D, H);
}

static void places(struct made *M, int64_t D, int64_t H) {
  const int64_t a = input(M, T, D), b = input(M, draw(2) ? T : ONE, draw(2) ? D : 1);
  struct step *s = step(M, COMBINE, a, output(M, T, D));
  s->options[0] = draw(6), s->options[1] = 1, s->options[2] = D / M->values[b].width;
  s->in[1] = b;
  s = step(M, COPY, a, output(M, T, D + H));
  s->options[0] = draw((uint32_t)H + 1), s->options[3] = -1, s->options[4] = 1;
  s = step(M, COPY, a, output(M, OTHER, D));
  s->options[3] = M->sizes[T] < M->sizes[OTHER] ? M->sizes[T] : M->sizes[OTHER], s->options[4] = 1;
  s = step(M, CONSTANT, -1, output(M, ONE, H));
  s->weights[0] = numbers(M, H);
}

static void convolution(struct made *M, int64_t D, int64_t H) {
  const int64_t size = 1 + draw(4), before = draw((uint32_t)size), x = input(M, T, D);
  struct step *s = step(M, CONVOLUTION, x, output(M, T, H));
  s->options[0] = draw(GELU + 1), s->options[1] = size, s->options[2] = before;
  s->weights[0] = numbers(M, panels(size * D, H)), s->weights[1] = numbers(M, panels(1, H));
  step(M, PERMUTE, x, output(M, ONE, D * M->sizes[T]));
}

static void window(struct made *M, int64_t D, int64_t H) {
  (void)H;
  const int64_t x = input(M, T, D), on = mask(M, T), scaled = output(M, T, D), steps = M->sizes[T];
  struct step *s = step(M, WINDOW_SCALE, x, scaled);
  s->in[1] = on, s->out[1] = output(M, ONE, D), s->out[2] = output(M, ONE, D);
  s->weights[0] = numbers(M, D);
  const int64_t targets = 1 + draw((uint32_t)D), means = s->out[1], spreads = s->out[2];
  s = step(M, SEASONAL, scaled, output(M, OTHER, targets));
  s->in[1] = on, s->options[0] = 1 + draw((uint32_t)steps), s->options[1] = targets;
  s->weights[0] = draw(2) ? numbers(M, steps * M->sizes[OTHER]) : NULL;
  s = step(M, SCALED_BACK, s->out[0], output(M, OTHER, targets));
  s->in[1] = means, s->in[2] = spreads, s->options[0] = targets, s->options[1] = 1;
}

static void dot_attention(struct made *M, int64_t D, int64_t H) {
  struct step *s = step(M, DOT_ATTENTION, input(M, T, D), output(M, T, H));
  s->in[1] = input(M, OTHER, H), s->in[2] = input(M, OTHER, D);
  s->in[3] = mask(M, T), s->in[4] = mask(M, OTHER);
}

static void best_path(struct made *M, int64_t D, int64_t H) {
  (void)H;
  struct step *s = step(M, BEST_PATH, input(M, T, D), output(M, T, D));
  s->in[1] = mask(M, T);
  s->weights[0] = numbers(M, D * D), s->weights[1] = numbers(M, D), s->weights[2] = numbers(M, D);
}

static void (*const kinds[])(struct made *, int64_t, int64_t) = {
    recurrent, recurrent, recurrent, each_line, masks, tokens, pooling, pooling_step,
    places, convolution, window, dot_attention, best_path};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int64_t size_of(const struct made *M, int64_t k) { return M->sizes[M->values[k].steps] * M->values[k].width; }

/* Memory for the inputs or outputs of some rows, each its own. */
static void allocate(const struct made *M, enum place place, int64_t rows, float **at) {
  for (int64_t k = 0; k < M->plan.values_count; k++)
    if (M->values[k].place == place) at[M->values[k].number] = calloc(rows * size_of(M, k), sizeof(float));
}

static void release(float **at, int64_t count) {
  for (int64_t k = 0; k < count; k++) free(at[k]);
}

static void fill(const struct made *M, float **inputs, uint32_t below) {
  for (int64_t k = 0; k < M->plan.values_count; k++) {
    if (M->values[k].place != INPUT) continue;
    float *x = inputs[M->values[k].number];
    for (int64_t n = 0; n < M->rows * size_of(M, k); n++) {
      x[n] = M->contents[k] == MASK ? draw(3) != 0 : draw(2000) / 500.0f - 2;
      if (M->contents[k] == TOKENS) ((int32_t *)x)[n] = (int32_t)draw(below);
    }
  }
}

struct call {
  const struct made *made;
  float **inputs, **expected;
  int differs;
};

static int serve(const struct made *M, int64_t rows, float **inputs, float **outputs) {
  return lstm_zoo_serve(&M->plan, rows, M->sizes, (const void *const *)inputs, (void *const *)outputs);
}

static int same(const struct made *M, float **got, float **expected, int64_t row, int64_t rows) {
  int alike = 1;
  for (int64_t k = 0; k < M->plan.values_count; k++)
    if (M->values[k].place == OUTPUT) {
      const int64_t number = M->values[k].number, size = size_of(M, k);
      alike &= !memcmp(got[number], expected[number] + row * size, sizeof(float) * rows * size);
    }
  return alike;
}

static void *call_again(void *job) {
  struct call *call = job;
  float *outputs[MOST];
  allocate(call->made, OUTPUT, call->made->rows, outputs);
  call->differs = serve(call->made, call->made->rows, call->inputs, outputs) ||
                  !same(call->made, outputs, call->expected, 0, call->made->rows);
  release(outputs, call->made->outputs);
  return NULL;
}

/* Counts what differs: a row alone, or a call beside others. */
static int try_kind(int kind, int64_t rows, int64_t steps, int64_t D, int64_t H) {
  struct made M = {.sizes = {1, steps, 1 + draw(5)}, .rows = rows};
  M.plan.values = M.values, M.plan.steps = M.steps, M.plan.checked = M.checked;
  for (int k = 0; k < MOST; k++) M.checked[k] = 1;
  kinds[kind](&M, D, H);
  float *inputs[MOST], *outputs[MOST], *row_in[MOST], *row_out[MOST];
  allocate(&M, INPUT, rows, inputs), allocate(&M, OUTPUT, rows, outputs);
  fill(&M, inputs, (uint32_t)D);
  int wrong = serve(&M, rows, inputs, outputs) != 0;
  for (int64_t row = 0; row < rows; row += 1 + rows / 3) {
    allocate(&M, INPUT, 1, row_in), allocate(&M, OUTPUT, 1, row_out);
    for (int64_t k = 0; k < M.plan.values_count; k++)
      if (M.values[k].place == INPUT)
        memcpy(row_in[M.values[k].number], inputs[M.values[k].number] + row * size_of(&M, k),
               sizeof(float) * size_of(&M, k));
    wrong += serve(&M, 1, row_in, row_out) || !same(&M, row_out, outputs, row, 1);
    release(row_in, M.plan.inputs_count), release(row_out, M.outputs);
  }
  struct call calls[CALLERS];
  pthread_t threads[CALLERS];
  for (int k = 0; k < CALLERS; k++) {
    calls[k] = (struct call){&M, inputs, outputs, 0};
    pthread_create(threads + k, NULL, call_again, calls + k);
  }
  for (int k = 0; k < CALLERS; k++) pthread_join(threads[k], NULL), wrong += calls[k].differs;
  release(inputs, M.plan.inputs_count), release(outputs, M.outputs);
  for (int k = 0; k < M.owned_count; k++) free(M.owned[k]);
  if (wrong) printf("kind %d, %d rows, %d steps, %d features, %d units: %d calls differ\n", kind, (int)rows,
                    (int)steps, (int)D, (int)H, wrong);
  return wrong;
}

int main(void) {
  int wrong = 0, count = 0;
  for (int turn = 0; turn < 40; turn++)
    for (int kind = 0; kind < KINDS; kind++, count++)
      wrong += try_kind(kind, 1 + draw(15), 1 + draw(30), 1 + draw(20), 1 + draw(70));
  for (int turn = 0; turn < 6; turn++, count++) /* large enough for threads, by rows and by units */
    wrong += try_kind(0, turn % 2 ? 1 : 9, 40, 20, 130);
  printf("%d plans with %s, %d that differ\n", count, lstm_zoo_serving_simd(), wrong);
  return wrong != 0;
}
