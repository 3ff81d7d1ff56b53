/* A recurrent layer over whole sequences, or one step of a stream.

   W and U stand packed in panels of 4 vectors (lstm_zoo/serving/packing.py): of an LSTM the four gates
   of V units; of a GRU update, reset, and the candidate's two parts, that of the input and that of the
   state; of a simple RNN 4 V units. Few rows at a time would read W anew at each step. So the input's
   products of some steps are made together, STRIP steps at once, and each step adds those of the
   hidden state alone. Where a block is full of rows, both are made in the step.

   One row, or two, and many units: the threads share the panels of each step. Each has panels of its
   own, which stay in its cache, and takes those of another that is late. */

#include <sched.h>

enum cell { LSTM_CELL, GRU_CELL, SIMPLE_CELL, RESET_BEFORE_CELL /* see reset_before.h */ };
enum { STRIP = 24, MOST_PARTS = 64 };

/* options of a recurrent step, in this order */
enum {
  KIND, UNITS, BACKWARDS, WRITE_BACKWARDS, OFFSET, ZERO_OUTPUT, RELU_CANDIDATE,
  CARRIED, /* the first states come from earlier steps, as does the output of a masked step */
  HALF     /* W and U are bfloat16 */
};
/* in: x, mask, h, c; out: sequence, last, h, c; weights: W, U, bias, peepholes */

struct recurrent {
  int64_t kind, D, H, T, rows, panels, strip;
  int backwards, write_backwards, zero_output, relu, carried, half;
  const float *x, *mask, *W, *U, *bias, *peepholes;
  struct view y;         /* at its offset */
  float *last;
  float *hidden, *cells; /* of a step and of the next, (2, rows, H); (rows, H) */
  float *z;              /* (panels, rows, strip, 4 V) */
  int64_t *first;        /* of each row the first step that is not masked */
};

struct cell_block {
  const float *h[ROWS], *z[ROWS];
  float *c[ROWS], *h_next[ROWS], *y[ROWS];
  int masked[ROWS], quiet[ROWS]; /* quiet: at a masked step the output is zeros */
};

INLINE void write_unit(const struct cell_block *b, int m, int64_t u, int n, vec h) {
  vec zero = {0};
  if (b->masked[m]) h = load(b->h[m] + u, n);
  store(b->h_next[m] + u, h, n);
  if (b->y[m]) store(b->y[m] + u, b->masked[m] && b->quiet[m] ? zero : h, n);
}

/* The equations on the sums of a panel, of units u on. */
INLINE void lstm_equations(const int rows, const struct recurrent *R, const struct cell_block *b,
                           int64_t u, vec z[][4], const float *peepholes, int relu) {
  const int64_t H = R->H;
  const int n = left_of(H, u);
  for (int m = 0; m < rows; m++) {
    const vec before = load(b->c[m] + u, n);
    if (peepholes) {
      z[m][0] += load(peepholes + u, n) * before;
      z[m][1] += load(peepholes + H + u, n) * before;
    }
    const vec i = sigmoid(z[m][0]), f = sigmoid(z[m][1]), g = activation(z[m][2], relu);
    const vec c = f * before + i * g;
    if (peepholes) z[m][3] += load(peepholes + 2 * H + u, n) * c;
    const vec h = sigmoid(z[m][3]) * activation(c, relu);
    if (!b->masked[m]) store(b->c[m] + u, c, n);
    write_unit(b, m, u, n, h);
  }
}

INLINE void gru_equations(const int rows, const struct recurrent *R, const struct cell_block *b,
                          int64_t u, vec z[][4], int relu) {
  const int n = left_of(R->H, u);
  for (int m = 0; m < rows; m++) {
    const vec before = load(b->h[m] + u, n);
    const vec update = sigmoid(z[m][0]), reset = sigmoid(z[m][1]);
    const vec g = activation(z[m][2] + reset * z[m][3], relu);
    write_unit(b, m, u, n, update * before + (1.0f - update) * g);
  }
}

INLINE void simple_equations(const int rows, const struct recurrent *R, const struct cell_block *b,
                             int64_t u, vec z[][4], int relu) {
  for (int m = 0; m < rows; m++)
    for (int k = 0; k < 4 && u + k * V < R->H; k++)
      write_unit(b, m, u + k * V, left_of(R->H, u + k * V), activation(z[m][k], relu));
}

INLINE void equations(const int rows, const struct recurrent *R, const struct cell_block *b, int64_t p,
                      vec z[][4]) {
  if (R->kind == GRU_CELL)
    gru_equations(rows, R, b, p * V, z, R->relu);
  else if (R->kind == SIMPLE_CELL)
    simple_equations(rows, R, b, p * 4 * V, z, R->relu);
  else if (R->peepholes || R->relu)
    lstm_equations(rows, R, b, p * V, z, R->peepholes, R->relu);
  else
    lstm_equations(rows, R, b, p * V, z, NULL, 0);
}

/* Half of a line of a panel in bfloat16: two vectors that share the bits of one. */
INLINE void two_of(const float *line, vec *low, vec *high) {
  const ivec both = *(const ivec *)line;
  *low = (vec)(both << 16), *high = (vec)(both & (int32_t)0xffff0000);
}

INLINE void product_half(const int rows, const float *const *a, int64_t K, const float *panel, vec z[][4]) {
  for (int64_t k = 0; k < K; k++, panel += 2 * V) {
    vec b0, b1, b2, b3;
    two_of(panel, &b0, &b1), two_of(panel + V, &b2, &b3);
    EACH_ROW(m, rows) {
      const float s = a[m][k];
      z[m][0] += s * b0, z[m][1] += s * b1, z[m][2] += s * b2, z[m][3] += s * b3;
    }
  }
}

/* z += the product of K numbers of each row with panel p of W or U. */
INLINE void panel_product(const int rows, const struct recurrent *R, const float *const *a, int64_t K,
                          const float *weights, int64_t p, vec z[][4]) {
  if (R->half)
    product_half(rows, a, K, weights + p * K * 2 * V, z);
  else
    product(rows, a, K, weights + p * K * 4 * V, z);
}

/* Panel p of a step of a block of rows, whose sums so far are in b->z. */
INLINE void step_block(const int rows, const struct recurrent *R, const struct cell_block *b,
                       int64_t p) {
  vec z[ROWS][4];
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < 4; g++) z[m][g] = *(const vec *)(b->z[m] + g * V);
  panel_product(rows, R, b->h, R->H, R->U, p, z);
  equations(rows, R, b, p, z);
}

/* The same from the start, with the input's products. */
INLINE void whole_block(const int rows, const struct recurrent *R, const struct cell_block *b,
                        const float *const *x, int64_t p) {
  vec z[ROWS][4];
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < 4; g++) z[m][g] = *(const vec *)(R->bias + (p * 4 + g) * V);
  panel_product(rows, R, x, R->D, R->W, p, z);
  panel_product(rows, R, b->h, R->H, R->U, p, z);
  equations(rows, R, b, p, z);
}

/* One row with two panels at once: as many sums as the processor adds side by side. */
INLINE void step_pair(const struct recurrent *R, const struct cell_block *b, int64_t p,
                      const float *z_next) {
  vec z[1][4], other[1][4];
  for (int g = 0; g < 4; g++) {
    z[0][g] = *(const vec *)(b->z[0] + g * V);
    other[0][g] = *(const vec *)(z_next + g * V);
  }
  const int64_t line = R->half ? 2 * V : 4 * V;
  const float *panel = R->U + p * R->H * line, *next = panel + R->H * line, *h = b->h[0];
  if (R->half)
    for (int64_t k = 0; k < R->H; k++, panel += line, next += line)
      for (int g = 0; g < 4; g += 2) {
        vec low, high;
        two_of(panel + g / 2 * V, &low, &high);
        z[0][g] += h[k] * low, z[0][g + 1] += h[k] * high;
        two_of(next + g / 2 * V, &low, &high);
        other[0][g] += h[k] * low, other[0][g + 1] += h[k] * high;
      }
  else
    for (int64_t k = 0; k < R->H; k++, panel += line, next += line)
      for (int g = 0; g < 4; g++) {
        z[0][g] += h[k] * *(const vec *)(panel + g * V);
        other[0][g] += h[k] * *(const vec *)(next + g * V);
      }
  equations(1, R, b, p, z);
  equations(1, R, b, p + 1, other);
}

static int64_t time_of(const struct recurrent *R, int64_t s) { return R->backwards ? R->T - 1 - s : s; }

INLINE void input_block(const int rows, const struct recurrent *R, const float *const *x,
                        float *const *to, int64_t p) {
  vec z[ROWS][4];
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < 4; g++) z[m][g] = *(const vec *)(R->bias + (p * 4 + g) * V);
  panel_product(rows, R, x, R->D, R->W, p, z);
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < 4; g++) *(vec *)(to[m] + g * V) = z[m][g];
}

static float *z_of(const struct recurrent *R, int64_t p, int64_t row, int64_t s) {
  return R->z + ((p * R->rows + row) * R->strip + s % R->strip) * 4 * V;
}

/* The input's products for the strip that begins at step s, for panels `from` to `to`. */
static void strip_of_inputs(const struct recurrent *R, int64_t s, int64_t from, int64_t to) {
  const int64_t steps = R->T - s < R->strip ? R->T - s : R->strip, lines = R->rows * steps;
  for (int64_t p = from; p < to; p++)
    for (int64_t line = 0; line < lines;) {
      const int rows = block_of(lines - line);
      const float *x[ROWS];
      float *z[ROWS];
      for (int m = 0; m < rows; m++) {
        const int64_t row = (line + m) / steps, now = s + (line + m) % steps;
        x[m] = R->x + (row * R->T + time_of(R, now)) * R->D;
        z[m] = z_of(R, p, row, now);
      }
      WITH_CONSTANT_ROWS(rows, input_block, R, x, z, p)
      line += rows;
    }
}

static void rows_of_step(const struct recurrent *R, int64_t r, int rows, int64_t s,
                         struct cell_block *b) {
  const int64_t H = R->H, t = time_of(R, s), written = R->write_backwards ? R->T - 1 - s : s;
  for (int m = 0; m < rows; m++) {
    const int64_t row = r + m;
    b->h[m] = R->hidden + (s % 2 * R->rows + row) * H;
    b->h_next[m] = R->hidden + ((s + 1) % 2 * R->rows + row) * H;
    b->c[m] = R->cells + row * H;
    b->masked[m] = R->mask && R->mask[row * R->T + t] == 0;
    b->quiet[m] = R->zero_output || s < R->first[row];
    b->y[m] = NULL;
    if (R->y.at) b->y[m] = R->y.at + (row * R->T + written) * R->y.width;
    else if (R->last && s + 1 == R->T) b->y[m] = R->last + row * R->y.width;
  }
}

/* Step s, for panels `from` to `to`, of a few rows whose products with the input are there. */
static void step_of_few(const struct recurrent *R, int64_t s, int64_t from, int64_t to) {
  const int rows = (int)R->rows;
  struct cell_block b;
  rows_of_step(R, 0, rows, s, &b);
  for (int64_t p = from; p < to; p++) {
    for (int m = 0; m < rows; m++) b.z[m] = z_of(R, p, m, s);
    if (rows == 1 && p + 1 < to) {
      step_pair(R, &b, p, z_of(R, p + 1, 0, s));
      p++;
    } else {
      WITH_CONSTANT_ROWS(rows, step_block, R, &b, p)
    }
  }
}

/* Step s of many rows: a panel stays in the cache while the rows pass. */
static void step_of_many(const struct recurrent *R, int64_t s) {
  struct cell_block b;
  const float *x[ROWS];
  for (int64_t p = 0; p < R->panels; p++)
    for (int64_t r = 0; r < R->rows;) {
      const int rows = block_of(R->rows - r);
      rows_of_step(R, r, rows, s, &b);
      for (int m = 0; m < rows; m++) x[m] = R->x + ((r + m) * R->T + time_of(R, s)) * R->D;
      WITH_CONSTANT_ROWS(rows, whole_block, R, &b, x, p)
      r += rows;
    }
}

/* The panels of a layer shared by threads; see the top. */
struct shared_steps {
  const struct recurrent *of;
  int64_t parts;
  _Atomic int64_t taken[MOST_PARTS], ready; /* steps of each part that a thread took; parts done */
  _Atomic int64_t only; /* the thread that goes on alone, by its first part; -1 for all */
};

/* On a busy machine a thread may lose its core in the middle of a part, and the others wait for it.
   The thread that waited then goes on alone, and the next layers are not shared. */
enum { TRIES_BEFORE_YIELD = 1000, YIELDS_OF_A_BUSY_MACHINE = 100, LAYERS_ALONE = 64 };
static _Atomic int layers_alone;

static void take_part(struct shared_steps *S, int64_t part, int64_t s) {
  const struct recurrent *R = S->of;
  const int64_t from = R->panels * part / S->parts, to = R->panels * (part + 1) / S->parts;
  if (s % R->strip == 0) strip_of_inputs(R, s, from, to);
  step_of_few(R, s, from, to);
  atomic_fetch_add(&S->ready, 1);
}

static void wait_for_step(struct shared_steps *S, int64_t s, int64_t thread) {
  for (int tries = 1, yields = 0; atomic_load(&S->ready) < (s + 1) * S->parts; tries++) {
    if (tries % TRIES_BEFORE_YIELD) continue;
    sched_yield(); /* the thread with the other part may need this core */
    if (++yields < YIELDS_OF_A_BUSY_MACHINE) continue;
    int64_t all = -1;
    if (atomic_compare_exchange_strong(&S->only, &all, thread))
      atomic_store(&layers_alone, LAYERS_ALONE);
  }
}

static void share_steps(void *job, int64_t lo, int64_t hi) {
  struct shared_steps *S = job;
  (void)hi;
  for (int64_t s = 0; s < S->of->T; s++) {
    const int64_t only = atomic_load(&S->only);
    if (only >= 0 && only != lo) return;
    for (int64_t k = 0; k < S->parts; k++) {
      int64_t part = (lo + k) % S->parts, expected = s;
      if (atomic_compare_exchange_strong(&S->taken[part], &expected, s + 1)) take_part(S, part, s);
    }
    wait_for_step(S, s, lo);
  }
}

/* Whether a machine that was busy lets layers be shared again. */
static int may_share(void) {
  return atomic_load(&layers_alone) <= 0 || atomic_fetch_sub(&layers_alone, 1) <= 0;
}

/* Copies the first states, or zeros, to where the steps read them. */
static void start(const struct recurrent *R, const float *h, const float *c) {
  const size_t size = sizeof(float) * R->rows * R->H;
  if (h) memcpy(R->hidden, h, size); else memset(R->hidden, 0, size);
  if (R->kind == LSTM_CELL) {
    if (c) memcpy(R->cells, c, size); else memset(R->cells, 0, size);
  }
  for (int64_t row = 0; row < R->rows; row++) {
    int64_t s = 0;
    while (R->mask && !R->carried && s < R->T && R->mask[row * R->T + time_of(R, s)] == 0) s++;
    R->first[row] = s;
  }
}

static const int64_t products_worth_threads = 1 << 16; /* of a step */
static const int64_t steps_worth_threads = 8;

/* Numbers of scratch memory, counted in floats. */
static int64_t recurrent_scratch(int64_t rows, int64_t H, int64_t panels) {
  return 3 * rows * H + panels * rows * STRIP * 4 * V + 2 * rows + 2;
}

static void recurrent(const struct step *step, const struct rows *rows) {
  const int64_t *options = step->options;
  const struct view x = view_of(rows, step->in[0]), y = view_of(rows, step->out[0]);
  const struct view last = view_of(rows, step->out[1]);
  struct recurrent R = {
      .kind = options[KIND], .D = x.width, .H = options[UNITS], .T = x.steps, .rows = rows->count,
      .backwards = options[BACKWARDS], .write_backwards = options[WRITE_BACKWARDS],
      .zero_output = options[ZERO_OUTPUT], .relu = options[RELU_CANDIDATE],
      .carried = options[CARRIED], .half = options[HALF] != 0,
      .x = x.at, .mask = view_of(rows, step->in[1]).at, .y = y,
      .W = step->weights[0], .U = step->weights[1], .bias = step->weights[2],
      .peepholes = step->weights[3]};
  const int64_t H = R.H, n = R.rows, wide = R.kind == SIMPLE_CELL ? 4 * V : V;
  R.panels = (H + wide - 1) / wide;
  R.strip = n < ROWS ? (R.T < STRIP ? R.T : STRIP) : 0;
  R.first = (int64_t *)rows->scratch; /* which is aligned for it */
  R.hidden = (float *)(R.first + n);
  R.cells = R.hidden + 2 * n * H;
  R.z = R.cells + n * H;
  if (y.at) R.y.at += options[OFFSET];
  if (last.at) R.last = last.at + options[OFFSET], R.y.width = last.width;
  start(&R, view_of(rows, step->in[2]).at, view_of(rows, step->in[3]).at);
  const int64_t cores = number_of_cores();
  const int worth = n * H * 4 * V * R.panels >= products_worth_threads && R.T >= steps_worth_threads;
  if (rows->alone && R.strip && worth && cores > 1 && n * 2 <= cores && R.panels > 1 && may_share()) {
    struct shared_steps S = {.of = &R, .only = -1, .parts = cores < R.panels ? cores : R.panels};
    if (S.parts > MOST_PARTS) S.parts = MOST_PARTS;
    run_in_parts(share_steps, &S, S.parts);
  } else {
    for (int64_t s = 0; s < R.T; s++) {
      if (!R.strip) {
        step_of_many(&R, s);
        continue;
      }
      if (s % R.strip == 0) strip_of_inputs(&R, s, 0, R.panels);
      step_of_few(&R, s, 0, R.panels);
    }
  }
  const struct view h_last = view_of(rows, step->out[2]), c_last = view_of(rows, step->out[3]);
  if (h_last.at) memcpy(h_last.at, R.hidden + R.T % 2 * n * H, sizeof(float) * n * H);
  if (c_last.at) memcpy(c_last.at, R.cells, sizeof(float) * n * H);
}
