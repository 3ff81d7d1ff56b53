/* Vectors of V numbers, and the functions of the LSTM's equations on them. */

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * V), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * V), aligned(4), may_alias));

INLINE vec choose(ivec yes, vec a, vec b) { return (vec)(((ivec)a & yes) | ((ivec)b & ~yes)); }

/* The rational function of Eigen, within 4 units in the last place of tanh. */
INLINE vec tanh_of(vec x) {
  const vec zero = {0}, most = zero + 7.90531110763549805f;
  x = MAX(-most, MIN(most, x)); /* NaN stays: each gives its second where they can't be compared */
  vec s = x * x;
  vec p = s * -2.76076847742355e-16f + 2.00018790482477e-13f;
  p = s * p + -8.60467152213735e-11f;
  p = s * p + 5.12229709037114e-08f;
  p = s * p + 1.48572235717979e-05f;
  p = s * p + 6.37261928875436e-04f;
  p = s * p + 4.89352455891786e-03f;
  vec q = s * 1.19825839466702e-06f + 1.18534705686654e-04f;
  q = s * q + 2.26843463243900e-03f;
  q = s * q + 4.89352518554385e-03f;
  return x * p / q;
}

INLINE vec sigmoid(vec x) { return tanh_of(x * 0.5f) * 0.5f + 0.5f; }

/* The activation of the candidate and of the cell state: tanh, or relu. */
INLINE vec activation(vec x, int relu) {
  const vec zero = {0};
  return relu ? MAX(zero, x) : tanh_of(x);
}

/* The derivative of the activation, from its value y. */
INLINE vec slope(vec y, int relu) {
  const vec zero = {0}, one = zero + 1.0f;
  if (relu) return choose(y > zero, one, zero);
  return one - y * y;
}

/* Reads the first n of V numbers, with zeros behind them. */
INLINE vec load(const float *from, int n) {
  if (n == V) return *(const vec *)from;
  vec a = {0};
  memcpy(&a, from, sizeof(float) * n);
  return a;
}

/* Writes the first n of V numbers. */
INLINE void store(float *to, vec a, int n) {
  if (n == V)
    *(vec *)to = a;
  else
    memcpy(to, &a, sizeof(float) * n);
}

/* How many of the n numbers of a line belong to the vector that begins at `at`. */
INLINE int left_of(int64_t n, int64_t at) { return n - at < V ? (int)(n - at) : V; }
