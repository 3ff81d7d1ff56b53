/* The backward pass of a GRU or a SimpleRNN over some rows of the batch; see kernel.h. */

/* dz of step t for one row, from the kept gates. dh, of the state after the step, becomes the part of
   dh before the step that does not go through a matrix product. */
INLINE void gru_dz(const struct gru_backward *B, int64_t at, float *dh, const int blocks, int relu) {
  const int64_t H = B->units;
  const int masked = B->mask && !B->mask[at];
  const float *gates = B->gates + at * blocks * H, *h = B->h_before + at * H;
  float *dz = B->dz + at * blocks * H;
  const vec zero = {0};
  for (int64_t u = 0; u < H; u += V) {
    const int n = left_of(H, u);
    vec dh_t = load(dh + u, n);
    if (B->dy) dh_t += load(B->dy + at * H + u, n);
    if (masked) {
      store(dh + u, dh_t, n);
      for (int k = 0; k < blocks; k++) store(dz + k * H + u, zero, n);
    } else if (blocks == SIMPLE_RNN) {
      store(dz + u, dh_t * slope(load(gates + u, n), relu), n);
      store(dh + u, zero, n);
    } else {
      const vec update = load(gates + u, n), reset = load(gates + H + u, n);
      const vec g = load(gates + 2 * H + u, n);
      const vec dg = dh_t * (1.0f - update) * slope(g, relu);
      if (blocks == GRU_AFTER) {
        const vec of_h = load(gates + 3 * H + u, n);
        store(dz + H + u, dg * of_h * reset * (1.0f - reset), n);
        store(dz + 3 * H + u, dg * reset, n);
      }
      store(dz + u, dh_t * (load(h + u, n) - g) * update * (1.0f - update), n);
      store(dz + 2 * H + u, dg, n);
      store(dh + u, dh_t * update, n);
    }
  }
}

/* For GRU_BEFORE: dz of the reset gate of one row, from `dreset`, the gradient of r * h. */
static void gru_dz_of_reset(const struct gru_backward *B, int64_t at, const float *dreset, float *dh) {
  const int64_t H = B->units;
  if (B->mask && !B->mask[at]) return; /* zero already */
  const float *gates = B->gates + at * B->blocks * H, *h = B->h_before + at * H;
  float *dz = B->dz + at * B->blocks * H;
  for (int64_t u = 0; u < H; u += V) {
    const int n = left_of(H, u);
    const vec r = load(gates + H + u, n), d = load(dreset + u, n);
    store(dz + H + u, d * load(h + u, n) * r * (1.0f - r), n);
    store(dh + u, load(dh + u, n) + d * r, n);
  }
}

struct gru_back_block {
  const float *dz[ROWS], *drop[ROWS]; /* drop of the first gate, or NULL */
  float *to[ROWS];
};

/* to += dz U^T of the gates `from` to `end`, for the units of a panel. */
INLINE void gru_back_panel(const int rows, const int wide, const struct gru_back_block *b,
                           const struct gru_backward *B, int64_t u, int from, int end) {
  const int64_t H = B->units, around = (H + V - 1) / V * V;
  vec sums[ROWS][4] = {0};
  for (int gate = from; gate < end; gate++) {
    const int64_t block = B->blocks == GRU_AFTER && gate == 2 ? 3 : gate;
    const float *dz[ROWS], *panel = B->packed + gate * H * around + H * u;
    for (int m = 0; m < rows; m++) dz[m] = b->dz[m] + block * H;
    if (!b->drop[0]) {
      product_of(rows, wide, dz, H, panel, sums);
      continue;
    }
    vec part[ROWS][4] = {0};
    product_of(rows, wide, dz, H, panel, part);
    for (int m = 0; m < rows; m++)
      for (int g = 0; g < wide; g++)
        sums[m][g] += part[m][g] * load(b->drop[m] + gate * H + u + g * V, left_of(H, u + g * V));
  }
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < wide; g++) {
      const int n = left_of(H, u + g * V);
      float *to = b->to[m] + u + g * V;
      store(to, load(to, n) + sums[m][g], n);
    }
}

/* to (rows lo to hi, units) += dz U^T of the gates `from` to `end`, at step t. */
static void gru_back(const struct gru_backward *B, int64_t lo, int64_t hi, int64_t t, float *to, int from,
                     int end) {
  const int64_t H = B->units, gates = B->blocks == SIMPLE_RNN ? 1 : 3;
  for (int64_t u = 0; u < H; u += 4 * V) {
    const int wide = (int)((smaller(H - u, 4 * V) + V - 1) / V);
    for (int64_t r = lo; r < hi;) {
      const int rows = block_of(hi - r);
      struct gru_back_block b;
      for (int m = 0; m < rows; m++) {
        b.dz[m] = B->dz + ((r + m) * B->steps + t) * B->blocks * H;
        b.drop[m] = B->h_drop ? B->h_drop + (r + m) * gates * H : NULL;
        b.to[m] = to + (r + m - lo) * H;
      }
      WITH_CONSTANT_WIDTH(wide, rows, gru_back_panel, &b, B, u, from, end)
      r += rows;
    }
  }
}

/* Adds what these rows and steps give to [dW; dU; db]. Blocks of z with the same [x, h] go together. */
static void gru_sums(const struct gru_backward *B, int64_t lo, int64_t hi, int64_t from, int64_t to,
                     float *sums) {
  const int64_t D = B->features, H = B->units, gates = B->blocks == SIMPLE_RNN ? 1 : 3;
  const int drops = B->x_drop || B->h_drop;
  struct products P = {.x = B->x, .steps = B->steps, .features = D, .units = H, .dz = B->dz};
  P.width = B->blocks * H, P.gates = gates;
  for (int k = 0; k < B->blocks; k++) {
    const int together = k == 0 && B->blocks > 1 && !drops, gate = k < 3 ? k : 2;
    P.h = B->blocks == GRU_BEFORE && k == 2 ? B->reset : B->h_before;
    P.x_drop = B->x_drop ? B->x_drop + gate * D : NULL;
    P.h_drop = B->h_drop ? B->h_drop + gate * H : NULL;
    P.unread = B->blocks == GRU_AFTER && k == 2 ? D : 0; /* U has no part in it */
    P.end_unread = P.unread ? D + H : k == 3 ? D : 0;    /* W has no part in it */
    P.column = k * H, P.columns = together ? 2 * H : H;
    add_products(&P, lo, hi, from, to, sums);
    k += together;
  }
}

/* Rows lo to hi. */
static void gru_backward_rows(void *job, int64_t lo, int64_t hi) {
  const struct gru_backward *B = job;
  const int64_t T = B->steps, H = B->units, rows = hi - lo;
  float *dh = B->dh0 + lo * H, *sums = B->sums + lo / B->part_rows * B->part_scratch;
  float *dreset = sums + B->part_scratch - B->part_rows * H; /* its end */
  memcpy(dh, B->dh + lo * H, sizeof(float) * rows * H);
  memset(sums, 0, sizeof(float) * SUM_HEIGHT(B->features, H) * SUM_WIDTH(B->blocks * H));
  const int64_t fewest = SUM_STEPS / rows, steps = fewest > 8 ? fewest : 8; /* summed at once */
  int64_t summed = T;                                                       /* from here on */
  for (int64_t t = T - 1; t >= 0; t--) {
    for (int64_t r = lo; r < hi; r++) {
      float *dh_of_row = dh + (r - lo) * H;
      switch (B->blocks) {
        case SIMPLE_RNN: gru_dz(B, r * T + t, dh_of_row, SIMPLE_RNN, B->relu); break;
        case GRU_BEFORE: gru_dz(B, r * T + t, dh_of_row, GRU_BEFORE, B->relu); break;
        default: gru_dz(B, r * T + t, dh_of_row, GRU_AFTER, B->relu);
      }
    }
    if (B->blocks == GRU_BEFORE) {
      memset(dreset, 0, sizeof(float) * rows * H);
      gru_back(B, lo, hi, t, dreset, 2, 3);
      for (int64_t r = lo; r < hi; r++)
        gru_dz_of_reset(B, r * T + t, dreset + (r - lo) * H, dh + (r - lo) * H);
    }
    gru_back(B, lo, hi, t, dh, 0, B->blocks == SIMPLE_RNN ? 1 : B->blocks == GRU_BEFORE ? 2 : 3);
    if (summed - t < steps && t > 0) continue;
    const int64_t at_once = SUM_STEPS / (summed - t);
    for (int64_t r = lo; r < hi; r += at_once)
      gru_sums(B, r, smaller(hi, r + at_once), t, summed, sums);
    summed = t;
  }
}
