/* The steps of a plan, each a function on some rows of the batch. A file that includes this one says
   for which processor: V, MIN, MAX, ROWS (see recurrence/native/kernel.h), SERVING and NAME. All arrays
   are (rows, steps, width); a mask is (rows, steps, 1) of 0 and 1. */

#include "serving.h"

#include "../../recurrence/native/products.h"

#define VIEWS                                                         \
  const struct view x = view_of(rows, step->in[0]), y = view_of(rows, step->out[0]); \
  const int64_t n = rows->count, T = x.steps, D = x.width;            \
  (void)y, (void)n, (void)T, (void)D

/* exp, within 2 units in the last place, from 1.6e-38 to 1.6e38. */
INLINE vec exp_of(vec x) {
  const vec zero = {0}, most = zero + 88.0f, least = zero - 87.0f;
  x = MAX(least, MIN(most, x));
  const vec magic = zero + 12582912.0f; /* rounds to whole numbers, which stand in its last bits */
  const vec shifted = x * 1.44269504f + magic, whole = shifted - magic;
  const vec r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const ivec scale = (((ivec)shifted - (ivec)magic) + 127) << 23;
  return p * (vec)scale;
}

INLINE vec relu_of(vec x) { const vec zero = {0}; return MAX(zero, x); }
INLINE vec logistic(vec x) { return 1.0f / (1.0f + exp_of(-x)); }
INLINE vec silu_of(vec x) { return x * logistic(x); }

/* y = f(x) for `count` numbers. */
#define EACH(f)                                                \
  for (int64_t k = 0; k < count; k += V)                       \
    store(y + k, f(load(x + k, left_of(count, k))), left_of(count, k))

static void softmax(const float *x, float *y, int64_t width) {
  float most = x[0], sum = 0;
  for (int64_t k = 1; k < width; k++) most = x[k] > most || x[k] != x[k] ? x[k] : most;
  for (int64_t k = 0; k < width; k += V) {
    const int left = left_of(width, k);
    store(y + k, exp_of(load(x + k, left) - most), left);
  }
  for (int64_t k = 0; k < width; k++) sum += y[k];
  for (int64_t k = 0; k < width; k++) y[k] /= sum;
}

static float rare(float x, int64_t kind, float alpha) {
  switch (kind) {
    case ELU: return x > 0 ? x : alpha * expm1f(x);
    case SOFTPLUS: return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));
    case SOFTSIGN: return x / (1 + fabsf(x));
    case HARD_SIGMOID: return x <= -3 ? 0 : x >= 3 ? 1 : x / 6 + 0.5f;
    default: return 0.5f * x * (1 + erff(x * 0.70710678f)); /* GELU */
  }
}

static void activate(const float *x, float *y, int64_t lines, int64_t width, int64_t kind,
                     float alpha) {
  const int64_t count = lines * width;
  switch (kind) {
    case LINEAR: if (x != y) memcpy(y, x, sizeof(float) * count); break;
    case RELU: EACH(relu_of); break;
    case TANH: EACH(tanh_of); break;
    case SIGMOID: EACH(logistic); break;
    case SILU: EACH(silu_of); break;
    case EXPONENTIAL: for (int64_t k = 0; k < count; k++) y[k] = expf(x[k]); break;
    case SOFTMAX: for (int64_t k = 0; k < lines; k++) softmax(x + k * width, y + k * width, width); break;
    default: for (int64_t k = 0; k < count; k++) y[k] = rare(x[k], kind, alpha);
  }
}

/* options: kind; number: alpha */
static void activation_step(const struct step *step, const struct rows *rows) {
  VIEWS;
  activate(x.at, y.at, n * T, D, step->options[0], (float)step->number);
}

/* y = (x - a) * b + c for each feature; weights: a, b, c */
static void affine(const struct step *step, const struct rows *rows) {
  VIEWS;
  const float *a = step->weights[0], *b = step->weights[1], *c = step->weights[2];
  for (int64_t line = 0; line < n * T; line++)
    for (int64_t k = 0; k < D; k++) y.at[line * D + k] = (x.at[line * D + k] - a[k]) * b[k] + c[k];
}

/* 1 where x is not `number`; options: whether x holds whole numbers */
static void not_equal(const struct step *step, const struct rows *rows) {
  VIEWS;
  const int32_t *tokens = (const int32_t *)x.at;
  for (int64_t k = 0; k < n * T * D; k++)
    y.at[k] = step->options[0] ? tokens[k] != (int32_t)step->number : x.at[k] != (float)step->number;
}

/* 1 where any number of a line is not 0 */
static void any(const struct step *step, const struct rows *rows) {
  VIEWS;
  for (int64_t line = 0; line < n * T; line++) {
    int found = 0;
    for (int64_t k = 0; k < D; k++) found |= x.at[line * D + k] != 0;
    y.at[line] = found;
  }
}

/* x, or zeros where a line is `number` throughout; the second result is the mask */
static void masking(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->out[1]);
  for (int64_t line = 0; line < n * T; line++) {
    int found = 0;
    for (int64_t k = 0; k < D; k++) found |= x.at[line * D + k] != (float)step->number;
    for (int64_t k = 0; k < D; k++) y.at[line * D + k] = found ? x.at[line * D + k] : 0;
    if (mask.at) mask.at[line] = found;
  }
}

/* options: how many tokens there are; weights: a line for each */
static void embedding(const struct step *step, const struct rows *rows) {
  VIEWS;
  const int32_t *tokens = (const int32_t *)x.at;
  for (int64_t line = 0; line < n * T; line++) {
    int64_t token = tokens[line];
    if (token < 0 || token >= step->options[0]) {
      atomic_store(rows->problem, NO_TOKEN);
      token = 0;
    }
    memcpy(y.at + line * y.width, step->weights[0] + token * y.width, sizeof(float) * y.width);
  }
}

/* Lines of `common` numbers, each `apart` from the one before, times packed panels. */
INLINE void dense_block(const int rows, const float *const *x, float *const *y, int64_t common,
                        const float *panel, const float *bias, int64_t left) {
  vec z[ROWS][4];
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < 4; g++) z[m][g] = *(const vec *)(bias + g * V);
  product(rows, x, common, panel, z);
  for (int m = 0; m < rows; m++)
    for (int g = 0; g < 4 && g * V < left; g++)
      store(y[m] + g * V, z[m][g], left_of(left, g * V));
}

/* The same for at most V columns, whose panel has lines of V numbers. */
INLINE void narrow_block(const int rows, const float *const *x, float *const *y, int64_t common,
                         const float *panel, const float *bias, int64_t left) {
  vec z[ROWS];
  for (int m = 0; m < rows; m++) z[m] = *(const vec *)bias;
  for (int64_t k = 0; k < common; k++)
    EACH_ROW(m, rows) z[m] += x[m][k] * *(const vec *)(panel + k * V);
  for (int m = 0; m < rows; m++) store(y[m], z[m], (int)left);
}

static void products(const float *x, int64_t apart, int64_t lines, int64_t common, float *y,
                     int64_t width, const float *panels, const float *bias) {
  for (int64_t u = 0; u < width; u += 4 * V, panels += common * 4 * V, bias += 4 * V)
    for (int64_t line = 0; line < lines;) {
      const int block = block_of(lines - line);
      const float *from[ROWS];
      float *to[ROWS];
      for (int m = 0; m < block; m++) {
        from[m] = x + (line + m) * apart;
        to[m] = y + (line + m) * width + u;
      }
      if (width <= V) {
        WITH_CONSTANT_ROWS(block, narrow_block, from, to, common, panels, bias, width)
      } else {
        WITH_CONSTANT_ROWS(block, dense_block, from, to, common, panels, bias, width - u)
      }
      line += block;
    }
}

/* options: activation; weights: panels of the kernel, bias */
static void dense(const struct step *step, const struct rows *rows) {
  VIEWS;
  products(x.at, D, n * T, D, y.at, y.width, step->weights[0], step->weights[1]);
  activate(y.at, y.at, n * T, y.width, step->options[0], (float)step->number);
}

/* options: activation, kernel size, zeros before; weights as of dense, of (kernel size * D) lines */
static void convolution(const struct step *step, const struct rows *rows) {
  VIEWS;
  const int64_t size = step->options[1], before = step->options[2], length = y.steps + size - 1;
  float *padded = rows->scratch;
  for (int64_t row = 0; row < n; row++) {
    memset(padded, 0, sizeof(float) * length * D);
    const int64_t fits = length - before < T ? length - before : T;
    memcpy(padded + before * D, x.at + row * T * D, sizeof(float) * fits * D);
    products(padded, D, y.steps, size * D, y.at + row * y.steps * y.width, y.width, step->weights[0],
             step->weights[1]);
  }
  activate(y.at, y.at, n * y.steps, y.width, step->options[0], (float)step->number);
}

static int counts(struct view mask, int64_t line) { return !mask.at || mask.at[line] != 0; }

/* in: x, mask; options: what a sum is divided by at least */
static void mean(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]);
  for (int64_t row = 0; row < n; row++) {
    float *to = y.at + row * D;
    float steps = 0;
    memset(to, 0, sizeof(float) * D);
    for (int64_t t = 0; t < T; t++) {
      if (!counts(mask, row * T + t)) continue;
      steps++;
      for (int64_t k = 0; k < D; k++) to[k] += x.at[(row * T + t) * D + k];
    }
    for (int64_t k = 0; k < D; k++) to[k] /= steps > step->options[0] ? steps : step->options[0];
  }
}

static void maximum(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]);
  for (int64_t row = 0; row < n; row++) {
    float *to = y.at + row * D;
    int seen = 0;
    memset(to, 0, sizeof(float) * D);
    for (int64_t t = 0; t < T; t++) {
      const float *from = x.at + (row * T + t) * D;
      if (!counts(mask, row * T + t)) continue;
      for (int64_t k = 0; k < D; k++) to[k] = !seen || from[k] > to[k] ? from[k] : to[k];
      seen = 1;
    }
  }
}

/* How much a line matters, before the softmax; `hidden` holds `units` numbers. */
static float score_of(const float *x, int64_t D, float *hidden, int64_t units, const float *panels,
                      const float *bias, const float *query) {
  float score = 0;
  products(x, D, 1, D, hidden, units, panels, bias);
  activate(hidden, hidden, 1, units, TANH, 0);
  for (int64_t k = 0; k < units; k++) score += hidden[k] * query[k];
  return score;
}

/* in: x, mask; options: units; weights: panels of the kernel, bias, query */
static void attention(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]);
  const int64_t units = step->options[0];
  float *weights = rows->scratch, *hidden = weights + T;
  for (int64_t row = 0; row < n; row++) {
    const float *from = x.at + row * T * D;
    float *to = y.at + row * D;
    memset(to, 0, sizeof(float) * D);
    products(from, D, T, D, hidden, units, step->weights[0], step->weights[1]);
    activate(hidden, hidden, T, units, TANH, 0);
    for (int64_t t = 0; t < T; t++) {
      float score = 0;
      for (int64_t k = 0; k < units; k++) score += hidden[t * units + k] * step->weights[2][k];
      weights[t] = counts(mask, row * T + t) ? score : -6e4f;
    }
    softmax(weights, weights, T);
    for (int64_t t = 0; t < T; t++)
      for (int64_t k = 0; counts(mask, row * T + t) && k < D; k++) to[k] += weights[t] * from[t * D + k];
  }
}

/* number: epsilon; weights: gamma, beta */
static void layer_norm(const struct step *step, const struct rows *rows) {
  VIEWS;
  for (int64_t line = 0; line < n * T; line++) {
    const float *from = x.at + line * D;
    float *to = y.at + line * D;
    double sum = 0, squares = 0;
    for (int64_t k = 0; k < D; k++) sum += from[k];
    const double middle = sum / D;
    for (int64_t k = 0; k < D; k++) squares += (from[k] - middle) * (from[k] - middle);
    const double scale = 1 / sqrt(squares / D + step->number);
    for (int64_t k = 0; k < D; k++)
      to[k] = (float)((from[k] - middle) * scale) * step->weights[0][k] + step->weights[1][k];
  }
}

enum { ADD, SUBTRACT, MULTIPLY, LARGER, SMALLER, AVERAGE };

/* options: which, numbers of y's width that share one of a, and of b; either may have one step */
static void combine(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view b = view_of(rows, step->in[1]);
  const int64_t per_a = step->options[1], per_b = step->options[2];
  for (int64_t row = 0; row < n; row++)
    for (int64_t t = 0; t < y.steps; t++) {
      const float *left = x.at + (row * T + (T > 1 ? t : 0)) * D;
      const float *right = b.at + (row * b.steps + (b.steps > 1 ? t : 0)) * b.width;
      float *to = y.at + (row * y.steps + t) * y.width;
      for (int64_t k = 0; k < y.width; k++) {
        const float p = left[k / per_a], q = right[k / per_b];
        switch (step->options[0]) {
          case ADD: to[k] = p + q; break;
          case SUBTRACT: to[k] = p - q; break;
          case MULTIPLY: to[k] = p * q; break;
          case LARGER: to[k] = p > q ? p : q; break;
          case SMALLER: to[k] = p < q ? p : q; break;
          default: to[k] = (p + q) * 0.5f;
        }
      }
    }
}

/* Copies x into columns of y. options: first column; first step of x, first of y, how many (-1: all;
   then one step of x goes to each of y); whether steps of y that are not written become zeros; whether
   only the axes are others, and all numbers are copied in order */
static void copy(const struct step *step, const struct rows *rows) {
  VIEWS;
  const int64_t *options = step->options, whole = options[3] < 0;
  const int64_t count = whole ? y.steps : options[3];
  if (options[5]) {
    memcpy(y.at, x.at, sizeof(float) * n * T * D);
    return;
  }
  if (options[4]) memset(y.at, 0, sizeof(float) * n * y.steps * y.width);
  for (int64_t row = 0; row < n; row++)
    for (int64_t t = 0; t < count; t++) {
      const int64_t from = whole ? (T > 1 ? t : 0) : options[1] + t, to = (whole ? 0 : options[2]) + t;
      memcpy(y.at + (row * y.steps + to) * y.width + options[0], x.at + (row * T + from) * D,
             sizeof(float) * D);
    }
}

/* in: x, mask; out: scaled, mean, deviation; weights: the logarithm of the usual deviation */
static void window_scale(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]), means = view_of(rows, step->out[1]);
  const struct view spreads = view_of(rows, step->out[2]);
  for (int64_t row = 0; row < n; row++)
    for (int64_t k = 0; k < D; k++) {
      const float *from = x.at + row * T * D + k;
      float *to = y.at + row * T * D + k;
      double sum = 0, squares = 0;
      int64_t steps = 0;
      for (int64_t t = 0; t < T; t++)
        if (counts(mask, row * T + t)) sum += from[t * D], steps++;
      const int64_t divisor = steps > 1 ? steps : 1;
      const float middle = (float)(sum / divisor);
      for (int64_t t = 0; t < T; t++) {
        const double apart = from[t * D] - middle;
        if (counts(mask, row * T + t)) squares += apart * apart;
      }
      const double variance = squares / divisor;
      const int changes = variance > 1e-12 * middle * middle;
      const float spread = changes ? (float)sqrt(variance) : expf(step->weights[0][k]);
      for (int64_t t = 0; t < T; t++) to[t * D] = changes ? (from[t * D] - middle) / spread : 0;
      if (means.at) means.at[row * D + k] = middle;
      if (spreads.at) spreads.at[row * D + k] = spread;
    }
}

/* in: x, mask; options: season, targets; weights: (T, horizon) or NULL. A row that is masked at its end
   is moved so that its newest step is the last; masked steps are zeros. */
static void seasonal(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]);
  const int64_t season = step->options[0], targets = step->options[1];
  const int64_t horizon = y.steps * y.width / targets;
  const float *kernel = step->weights[0];
  float *past = rows->scratch;
  for (int64_t row = 0; row < n; row++) {
    int64_t newest = mask.at ? 0 : T - 1;
    for (int64_t t = 0; mask.at && t < T; t++)
      if (counts(mask, row * T + t)) newest = t;
    for (int64_t t = 0; t < T; t++) {
      const int64_t origin = row * T + (t - (T - 1 - newest) + T) % T;
      for (int64_t k = 0; k < targets; k++)
        past[t * targets + k] = counts(mask, origin) ? x.at[origin * D + k] : 0;
    }
    float *to = y.at + row * horizon * targets;
    for (int64_t ahead = 0; ahead < horizon; ahead++)
      memcpy(to + ahead * targets, past + (T + ahead % season - season) * targets,
             sizeof(float) * targets);
    for (int64_t k = 0; kernel && k < targets; k++)
      for (int64_t t = 0; t < T; t++)
        for (int64_t ahead = 0; ahead < horizon; ahead++)
          to[ahead * targets + k] += past[t * targets + k] * kernel[t * horizon + ahead];
  }
}

/* in: forecast, mean, deviation; options: targets, numbers for each target (quantiles) */
static void scaled_back(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view means = view_of(rows, step->in[1]), spreads = view_of(rows, step->in[2]);
  const int64_t targets = step->options[0], each = step->options[1];
  for (int64_t row = 0; row < n; row++)
    for (int64_t k = 0; k < T * D; k++) {
      const int64_t target = row * means.width + k / each % targets;
      y.at[row * T * D + k] = x.at[row * T * D + k] * spreads.at[target] + means.at[target];
    }
}

/* y[width][steps] = x[steps][width] */
static void permute(const struct step *step, const struct rows *rows) {
  VIEWS;
  for (int64_t row = 0; row < n; row++)
    for (int64_t t = 0; t < T; t++)
      for (int64_t k = 0; k < D; k++) y.at[(row * D + k) * T + t] = x.at[(row * T + t) * D + k];
}

/* in: query, value, key, mask of query, mask of value; number: the scale of the scores */
static void dot_attention(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view value = view_of(rows, step->in[1]), key = view_of(rows, step->in[2]);
  const struct view query_mask = view_of(rows, step->in[3]), mask = view_of(rows, step->in[4]);
  float *weights = rows->scratch;
  for (int64_t line = 0; line < n * T; line++) {
    const int64_t first = line / T * value.steps;
    float *to = y.at + line * y.width;
    memset(to, 0, sizeof(float) * y.width);
    if (!counts(query_mask, line)) continue;
    for (int64_t s = 0; s < value.steps; s++) {
      float score = 0;
      for (int64_t k = 0; k < D; k++) score += x.at[line * D + k] * key.at[(first + s) * D + k];
      weights[s] = score * (float)step->number - (counts(mask, first + s) ? 0 : 1e9f);
    }
    softmax(weights, weights, value.steps);
    for (int64_t s = 0; s < value.steps; s++)
      for (int64_t k = 0; k < y.width; k++) to[k] += weights[s] * value.at[(first + s) * y.width + k];
  }
}

/* One step of a pooling over time. in: x, mask, what is known so far; out: result, the same after. */
static void mean_step(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]), total = view_of(rows, step->in[2]);
  const struct view steps = view_of(rows, step->in[3]), new_total = view_of(rows, step->out[1]);
  const struct view new_steps = view_of(rows, step->out[2]);
  for (int64_t row = 0; row < n; row++) {
    const float on = counts(mask, row), seen = steps.at[row] + on;
    new_steps.at[row] = seen;
    for (int64_t k = 0; k < D; k++) {
      const float sum = total.at[row * D + k] + (on ? x.at[row * D + k] : 0);
      new_total.at[row * D + k] = sum;
      y.at[row * D + k] = sum / (seen > 1 ? seen : 1);
    }
  }
}

static void maximum_step(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]), largest = view_of(rows, step->in[2]);
  const struct view steps = view_of(rows, step->in[3]), new_largest = view_of(rows, step->out[1]);
  const struct view new_steps = view_of(rows, step->out[2]);
  for (int64_t row = 0; row < n; row++) {
    const int on = counts(mask, row), seen = steps.at[row] > 0;
    new_steps.at[row] = steps.at[row] + on;
    for (int64_t k = row * D; k < (row + 1) * D; k++) {
      const float before = largest.at[k], now = x.at[k];
      y.at[k] = new_largest.at[k] = on && (!seen || now > before) ? now : before;
    }
  }
}

/* in also: weights' sum, largest score; options and weights as of attention */
static void attention_step(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]), total = view_of(rows, step->in[2]);
  const struct view sum = view_of(rows, step->in[3]), largest = view_of(rows, step->in[4]);
  const struct view new_total = view_of(rows, step->out[1]), new_sum = view_of(rows, step->out[2]);
  const struct view new_largest = view_of(rows, step->out[3]);
  for (int64_t row = 0; row < n; row++) {
    float shrink = 1, weight = 0, now = largest.at[row];
    if (counts(mask, row)) {
      const float score = score_of(x.at + row * D, D, rows->scratch, step->options[0],
                                   step->weights[0], step->weights[1], step->weights[2]);
      const float before = sum.at[row] > 0 ? largest.at[row] : score;
      now = before > score ? before : score;
      shrink = expf(before - now), weight = expf(score - now);
    }
    new_sum.at[row] = sum.at[row] * shrink + weight;
    new_largest.at[row] = now;
    for (int64_t k = row * D; k < (row + 1) * D; k++) {
      new_total.at[k] = total.at[k] * shrink + weight * x.at[k];
      y.at[k] = new_total.at[k] / (new_sum.at[row] > 1e-30f ? new_sum.at[row] : 1e-30f);
    }
  }
}

/* The same numbers for each row; weights: them */
static void constant(const struct step *step, const struct rows *rows) {
  VIEWS;
  for (int64_t row = 0; row < n; row++)
    memcpy(y.at + row * y.width, step->weights[0], sizeof(float) * y.width);
}

/* The likeliest tags of a CRF, one-hot, by Viterbi's algorithm. in: scores, mask; weights: transitions
   (from, to), first, last. A masked step repeats the tag before it. */
static void best_path(const struct step *step, const struct rows *rows) {
  VIEWS;
  const struct view mask = view_of(rows, step->in[1]);
  const float *transitions = step->weights[0], *first = step->weights[1], *last = step->weights[2];
  int32_t *came_from = (int32_t *)rows->scratch; /* (T, D) */
  float *best = rows->scratch + T * D, *before = best + D;
  for (int64_t row = 0; row < n; row++) {
    int seen = 0;
    memset(best, 0, sizeof(float) * D);
    for (int64_t t = 0; t < T; t++) {
      const float *scores = x.at + (row * T + t) * D;
      const int on = counts(mask, row * T + t);
      memcpy(before, best, sizeof(float) * D);
      for (int64_t k = 0; k < D; k++) {
        int64_t from = k;
        if (on && seen) {
          from = 0;
          for (int64_t j = 1; j < D; j++)
            if (before[j] + transitions[j * D + k] > before[from] + transitions[from * D + k]) from = j;
          best[k] = before[from] + transitions[from * D + k] + scores[k];
        } else if (on) {
          best[k] = first[k] + scores[k];
        }
        came_from[t * D + k] = (int32_t)from;
      }
      seen |= on;
    }
    int64_t tag = 0;
    for (int64_t k = 1; k < D; k++)
      if (best[k] + last[k] > best[tag] + last[tag]) tag = k;
    memset(y.at + row * T * D, 0, sizeof(float) * T * D);
    for (int64_t t = T - 1; t >= 0; t--) {
      y.at[(row * T + t) * D + tag] = 1;
      tag = came_from[t * D + tag];
    }
  }
}

#include "recurrent.h"
#include "reset_before.h"

/* The memory that a step needs beside its results, in floats. */
static int64_t scratch_of_step(const struct step *step, const struct rows *rows) {
  VIEWS;
  const int64_t *options = step->options;
  switch (step->operation) {
    case RECURRENT: {
      if (options[KIND] == RESET_BEFORE_CELL) return reset_before_scratch(n, options[UNITS]);
      const int64_t wide = options[KIND] == SIMPLE_CELL ? 4 * V : V;
      return recurrent_scratch(n, options[UNITS], (options[UNITS] + wide - 1) / wide);
    }
    case CONVOLUTION: return (y.steps + options[1] - 1) * D;
    case ATTENTION: return T + T * options[0];
    case ATTENTION_STEP: return options[0];
    case SEASONAL: return T * options[1];
    case BEST_PATH: return T * D + 2 * D;
    case DOT_ATTENTION: return view_of(rows, step->in[1]).steps;
    default: return 0;
  }
}

static void run_step(const struct step *step, const struct rows *rows) {
  switch (step->operation) {
    case AFFINE: affine(step, rows); break;
    case NOT_EQUAL: not_equal(step, rows); break;
    case ANY: any(step, rows); break;
    case MASKING: masking(step, rows); break;
    case EMBEDDING: embedding(step, rows); break;
    case RECURRENT:
      if (step->options[KIND] == RESET_BEFORE_CELL) reset_before(step, rows);
      else recurrent(step, rows);
      break;
    case DENSE: dense(step, rows); break;
    case ACTIVATION: activation_step(step, rows); break;
    case MEAN: mean(step, rows); break;
    case MAXIMUM: maximum(step, rows); break;
    case ATTENTION: attention(step, rows); break;
    case LAYER_NORM: layer_norm(step, rows); break;
    case COMBINE: combine(step, rows); break;
    case COPY: copy(step, rows); break;
    case WINDOW_SCALE: window_scale(step, rows); break;
    case SEASONAL: seasonal(step, rows); break;
    case SCALED_BACK: scaled_back(step, rows); break;
    case CONVOLUTION: convolution(step, rows); break;
    case PERMUTE: permute(step, rows); break;
    case DOT_ATTENTION: dot_attention(step, rows); break;
    case MEAN_STEP: mean_step(step, rows); break;
    case MAXIMUM_STEP: maximum_step(step, rows); break;
    case ATTENTION_STEP: attention_step(step, rows); break;
    case CONSTANT: constant(step, rows); break;
    case BEST_PATH: best_path(step, rows); break;
  }
}

const struct serving SERVING = {NAME, V, run_step, scratch_of_step};
