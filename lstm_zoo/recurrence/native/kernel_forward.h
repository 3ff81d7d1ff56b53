/* The forward pass over some rows of the batch; see kernel.h. */

#include <sched.h>

/* Where a step of a block of rows reads and writes. */
struct block {
  const float *x[ROWS], *h[ROWS], *c[ROWS];
  const float *dropped[ROWS]; /* [x, h] of each gate, see drop */
  float *h_next[ROWS], *c_next[ROWS], *y[ROWS], *gates[ROWS];
  int masked[ROWS];
};

/* The equations for the units from u on that a panel holds, of a block of rows. */
INLINE void forward_block(const int rows, const struct forward *F, const struct block *b, int64_t u,
                          const float *panel, const float *bias, int drops, const float *peepholes,
                          int relu) {
  const int64_t D = F->features, H = F->units;
  const int n = left_of(H, u);
  vec z[ROWS][4];
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < 4; g++) z[m][g] = *(const vec *)(bias + g * V);
  if (drops) {
    product_by_gate(rows, b->dropped, D + H, panel, z);
  } else {
    product(rows, b->x, D, panel, z);
    product(rows, b->h, H, panel + D * 4 * V, z);
  }
  for (int m = 0; m < rows; m++) {
    const vec before = load(b->c[m] + u, n);
    if (peepholes) {
      z[m][0] += load(peepholes + u, n) * before;
      z[m][1] += load(peepholes + H + u, n) * before;
    }
    const vec i = sigmoid(z[m][0]), f = sigmoid(z[m][1]), g = activation(z[m][2], relu);
    vec c = f * before + i * g;
    if (peepholes) z[m][3] += load(peepholes + 2 * H + u, n) * c;
    const vec o = sigmoid(z[m][3]);
    vec h = o * activation(c, relu);
    if (b->masked[m]) c = before, h = load(b->h[m] + u, n);
    store(b->c_next[m] + u, c, n);
    store(b->h_next[m] + u, h, n);
    if (F->y) store(b->y[m] + u, h, n);
    if (F->gates) {
      float *kept = b->gates[m] + u;
      store(kept, i, n), store(kept + H, f, n), store(kept + 2 * H, g, n), store(kept + 3 * H, o, n);
    }
  }
}

/* to[gate] = [x, h] of a row, each gate with its own dropout. */
static void drop(const struct forward *F, int64_t row, const float *x, const float *h, float *to) {
  const int64_t D = F->features, H = F->units;
  for (int64_t at = row * 4; at < row * 4 + 4; at++, to += D + H) {
    for (int64_t k = 0; k < D; k++) to[k] = F->x_drop ? x[k] * F->x_drop[at * D + k] : x[k];
    for (int64_t k = 0; k < H; k++) to[D + k] = F->h_drop ? h[k] * F->h_drop[at * H + k] : h[k];
  }
}

/* Step t of rows lo to hi, for the panels `from` to `to`; `hidden` comes from first_states. */
INLINE void forward_step(const struct forward *F, int64_t lo, int64_t hi, int64_t t, int64_t from,
                         int64_t to, float *hidden, const float *dropped, const float *peepholes,
                         int relu) {
  const int64_t T = F->steps, H = F->units, D = F->features, K = D + H;
  for (int64_t p = from; p < to; p++) {
    const float *panel = F->packed + p * K * 4 * V, *bias = F->packed_bias + p * 4 * V;
    for (int64_t r = lo; r < hi;) {
      const int rows = block_of(hi - r);
      struct block b;
      for (int m = 0; m < rows; m++) {
        const int64_t row = r + m, at = row * T + t;
        b.x[m] = F->x + at * D;
        b.masked[m] = F->mask && !F->mask[at];
        if (dropped) b.dropped[m] = dropped + (row - lo) * 4 * K;
        if (F->y) b.y[m] = F->y + at * H;
        if (F->gates) {
          const int last = t + 1 == T;
          b.gates[m] = F->gates + at * 4 * H;
          b.h[m] = F->h_before + at * H, b.c[m] = F->c_before + at * H;
          b.h_next[m] = last ? F->h + row * H : F->h_before + (at + 1) * H;
          b.c_next[m] = last ? F->c + row * H : F->c_before + (at + 1) * H;
        } else {
          b.h[m] = hidden + (t % 2 * (hi - lo) + row - lo) * H;
          b.h_next[m] = hidden + ((t + 1) % 2 * (hi - lo) + row - lo) * H;
          b.c[m] = b.c_next[m] = F->c + row * H;
        }
      }
      WITH_CONSTANT_ROWS(rows, forward_block, F, &b, p * V, panel, bias, dropped != NULL, peepholes,
                         relu)
      r += rows;
    }
  }
}

INLINE void forward_steps(const struct forward *F, int64_t lo, int64_t hi, int drops,
                          const float *peepholes, int relu) {
  const int64_t T = F->steps, H = F->units, D = F->features, K = D + H;
  float *hidden = first_states(F, lo, hi);
  float *dropped = drops ? scratch_of(F, lo) + (hidden ? 2 * (hi - lo) * H : 0) : NULL;
  for (int64_t t = 0; t < T; t++) {
    for (int64_t row = lo; drops && row < hi; row++)
      drop(F, row, F->x + (row * T + t) * D,
           F->gates ? F->h_before + (row * T + t) * H : hidden + (t % 2 * (hi - lo) + row - lo) * H,
           dropped + (row - lo) * 4 * K);
    forward_step(F, lo, hi, t, 0, (H + V - 1) / V, hidden, dropped, peepholes, relu);
  }
  last_states(F, hidden, lo, hi);
}

/* Rows lo to hi. The plain LSTM has a branch-free version. */
static void forward_rows(void *job, int64_t lo, int64_t hi) {
  const struct forward *F = job;
  if (F->x_drop || F->h_drop || F->peepholes || F->relu)
    forward_steps(F, lo, hi, F->x_drop || F->h_drop, F->peepholes, F->relu);
  else
    forward_steps(F, lo, hi, 0, NULL, 0);
}

/* Takes the next part of a step, when the step before is complete. Returns 0 where none is left. */
static int take(struct by_units *S, int64_t *step, int64_t *part) {
  const int64_t k = atomic_fetch_add(&S->next, 1);
  *step = k / S->parts, *part = k % S->parts;
  if (*step >= S->of->steps) return 0;
  for (int tries = 1; atomic_load(&S->ready) < *step * S->parts; tries++)
    if (tries % 1000 == 0) sched_yield(); /* the thread with the other part may need this core */
  return 1;
}

/* Few rows and many units: threads share the panels of each step. A panel is then read by one thread
   and stays in that thread's cache. */
static void forward_units(void *job, int64_t lo, int64_t hi) {
  struct by_units *S = job;
  const struct forward *F = S->of;
  const int64_t panels = (F->units + V - 1) / V;
  (void)lo, (void)hi;
  for (int64_t t, part; take(S, &t, &part);) {
    forward_step(F, 0, S->rows, t, panels * part / S->parts, panels * (part + 1) / S->parts, S->hidden,
                 NULL, F->peepholes, F->relu);
    atomic_fetch_add(&S->ready, 1);
  }
}
