/* The forward pass of a GRU or a SimpleRNN over some rows of the batch; see kernel.h. */

/* Where a block of rows reads and writes, in one step. */
struct gru_block {
  const float *x[ROWS], *h[ROWS];
  float *z[ROWS];
};

/* z = W x + U h + bias for the units of a panel, the first `left` of which exist. D is 0 for a block of z
   without W, and H is 0 for one without U. */
INLINE void gru_panel(const int rows, const int wide, const struct gru_block *b, int64_t D, int64_t H,
                      int64_t u, const float *panel, const float *bias, int64_t left) {
  vec z[ROWS][4];
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < wide; g++) z[m][g] = load(bias + g * V, left_of(left, g * V));
  product_of(rows, wide, b->x, D, panel, z);
  product_of(rows, wide, b->h, H, panel + D * wide * V, z);
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < wide; g++) store(b->z[m] + u + g * V, z[m][g], left_of(left, g * V));
}

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* The memory of a part: z and r * h of its rows where these are not kept, then their dropped [x, h]. */
struct gru_part {
  float *z, *reset, *dropped;
};

static struct gru_part gru_part_of(const struct gru_forward *F, int64_t lo) {
  const int64_t rows = F->gates ? 0 : F->part_rows;
  float *z = F->scratch + lo / F->part_rows * F->part_scratch;
  float *reset = z + rows * F->blocks * F->units;
  return (struct gru_part){z, reset, reset + (F->blocks == GRU_BEFORE ? rows * F->units : 0)};
}

/* Where a row has its z, its hidden state and its r * h at step t. */
static inline float *z_of(const struct gru_forward *F, const struct gru_part *P, int64_t lo, int64_t row,
                          int64_t t) {
  const int64_t width = F->blocks * F->units;
  return F->gates ? F->gates + (row * F->steps + t) * width : P->z + (row - lo) * width;
}
static inline float *h_of(const struct gru_forward *F, int64_t row, int64_t t) {
  const int kept = F->gates && t < F->steps;
  return kept ? F->h_before + (row * F->steps + t) * F->units : F->h + row * F->units;
}
static inline float *reset_of(const struct gru_forward *F, const struct gru_part *P, int64_t lo,
                              int64_t row, int64_t t) {
  return F->gates ? F->reset + (row * F->steps + t) * F->units : P->reset + (row - lo) * F->units;
}

/* Block k of z, for step t of rows lo to hi. */
static void gru_z(const struct gru_forward *F, const struct gru_part *P, int64_t lo, int64_t hi, int64_t t,
                  int k) {
  const int64_t D = F->features, H = F->units, from_x = k < 3 ? D : 0;
  const int64_t from_h = F->blocks == GRU_AFTER && k == 2 ? 0 : H, K = from_x + from_h;
  const int64_t gate = k < 3 ? k : 2, gates = F->blocks == SIMPLE_RNN ? 1 : 3;
  const int dropped = F->x_drop || F->h_drop, resets = F->blocks == GRU_BEFORE && k == 2;
  for (int64_t row = lo; dropped && row < hi; row++) {
    const float *x = F->x + (row * F->steps + t) * D, *x_drop = F->x_drop, *h_drop = F->h_drop;
    const float *h = resets ? reset_of(F, P, lo, row, t) : h_of(F, row, t);
    float *to = P->dropped + (row - lo) * (D + H);
    const int64_t at = row * gates + gate;
    for (int64_t d = 0; d < D; d++) to[d] = x_drop ? x[d] * x_drop[at * D + d] : x[d];
    for (int64_t j = 0; j < H; j++) to[D + j] = h_drop ? h[j] * h_drop[at * H + j] : h[j];
  }
  for (int64_t u = 0; u < H; u += 4 * V) {
    const float *panel = F->packed + gru_packed_before(D, H, k, V) + K * u;
    const float *bias = F->bias + k * H + u;
    const int wide = (int)((smaller(H - u, 4 * V) + V - 1) / V);
    for (int64_t r = lo; r < hi;) {
      const int rows = block_of(hi - r);
      struct gru_block b;
      for (int m = 0; m < rows; m++) {
        const int64_t row = r + m;
        b.x[m] = dropped ? P->dropped + (row - lo) * (D + H) : F->x + (row * F->steps + t) * D;
        b.h[m] = dropped ? b.x[m] + D : resets ? reset_of(F, P, lo, row, t) : h_of(F, row, t);
        b.z[m] = z_of(F, P, lo, row, t);
      }
      WITH_CONSTANT_WIDTH(wide, rows, gru_panel, &b, from_x, from_h, k * H + u, panel, bias, H - u)
      r += rows;
    }
  }
}

/* The equations of step t for one row: z becomes the gates. */
INLINE void gru_row(const struct gru_forward *F, float *z, int64_t row, int64_t t, const int blocks,
                    int relu) {
  const int64_t H = F->units, at = row * F->steps + t;
  const float *h = h_of(F, row, t);
  float *h_next = h_of(F, row, t + 1), *y = F->y ? F->y + at * H : NULL;
  const int masked = F->mask && !F->mask[at];
  for (int64_t u = 0; u < H; u += V) {
    const int n = left_of(H, u);
    const vec before = load(h + u, n);
    vec after;
    if (blocks == SIMPLE_RNN) {
      after = activation(load(z + u, n), relu);
      store(z + u, after, n);
    } else {
      const vec update = sigmoid(load(z + u, n));
      vec g = load(z + 2 * H + u, n);
      if (blocks == GRU_AFTER) {
        const vec reset = sigmoid(load(z + H + u, n));
        store(z + H + u, reset, n);
        g += reset * load(z + 3 * H + u, n);
      }
      g = activation(g, relu);
      store(z + u, update, n), store(z + 2 * H + u, g, n);
      after = update * before + (1.0f - update) * g;
    }
    if (masked) after = before;
    store(h_next + u, after, n);
    if (y) store(y + u, after, n);
  }
}

/* The reset gate and r * h of one row, for GRU_BEFORE. */
static void reset_row(const struct gru_forward *F, float *z, const float *h, float *reset) {
  const int64_t H = F->units;
  for (int64_t u = 0; u < H; u += V) {
    const int n = left_of(H, u);
    const vec r = sigmoid(load(z + H + u, n));
    store(z + H + u, r, n), store(reset + u, r * load(h + u, n), n);
  }
}

/* Rows lo to hi. */
static void gru_forward_rows(void *job, int64_t lo, int64_t hi) {
  const struct gru_forward *F = job;
  const struct gru_part P = gru_part_of(F, lo);
  const int64_t T = F->steps, H = F->units;
  for (int64_t row = lo; row < hi; row++)
    memcpy(h_of(F, row, 0), F->h0 + row * H, sizeof(float) * H);
  for (int64_t t = 0; t < T; t++) {
    for (int k = 0; k < F->blocks; k++) {
      for (int64_t row = lo; F->blocks == GRU_BEFORE && k == 2 && row < hi; row++)
        reset_row(F, z_of(F, &P, lo, row, t), h_of(F, row, t), reset_of(F, &P, lo, row, t));
      gru_z(F, &P, lo, hi, t, k);
    }
    for (int64_t row = lo; row < hi; row++) {
      float *z = z_of(F, &P, lo, row, t);
      switch (F->blocks) {
        case SIMPLE_RNN: gru_row(F, z, row, t, SIMPLE_RNN, F->relu); break;
        case GRU_BEFORE: gru_row(F, z, row, t, GRU_BEFORE, F->relu); break;
        default: gru_row(F, z, row, t, GRU_AFTER, F->relu);
      }
    }
  }
}
