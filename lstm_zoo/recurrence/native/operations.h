/* What the operations of TensorFlow share: a call's inputs and outputs with their checks, the options,
   and the registration. */

#ifndef LSTM_ZOO_OPERATIONS_H
#define LSTM_ZOO_OPERATIONS_H

#include "lstm.h"
#include "tensorflow_api.h"

enum { MOST = 12 };

/* A call of an operation: its inputs and outputs, and what went wrong. */
struct call {
  TF_OpKernelContext *context;
  TF_Status *status;
  TF_Tensor *in[MOST], *out[MOST];
  int inputs, outputs;
};

static struct call begin(TF_OpKernelContext *context, int inputs) {
  struct call call = {context, TF_NewStatus(), {0}, {0}, inputs, 0};
  for (int k = 0; k < inputs && TF_GetCode(call.status) == 0; k++)
    TF_GetInput(context, k, &call.in[k], call.status);
  return call;
}

static int failed(const struct call *call) { return TF_GetCode(call->status) != 0; }

/* Whether input k has this shape; -1 stands for any size. */
static void check(struct call *call, int k, int rank, int64_t a, int64_t b, int64_t c,
                  const char *message) {
  if (failed(call)) return;
  const int64_t wanted[] = {a, b, c};
  int fits = TF_NumDims(call->in[k]) == rank;
  for (int axis = 0; fits && axis < rank; axis++)
    fits = wanted[axis] < 0 || TF_Dim(call->in[k], axis) == wanted[axis];
  if (!fits) TF_SetStatus(call->status, INVALID_ARGUMENT, message);
}

/* The numbers of input k, which has this shape or none in it; then NULL. */
static const void *optional(struct call *call, int k, int rank, int64_t a, int64_t b, int64_t c,
                            const char *message) {
  if (failed(call)) return NULL;
  if (TF_NumDims(call->in[k]) == rank && TF_Dim(call->in[k], rank - 1) == 0) return NULL;
  check(call, k, rank, a, b, c, message);
  return failed(call) ? NULL : TF_TensorData(call->in[k]);
}

static float *output(struct call *call, int rank, int64_t a, int64_t b, int64_t c) {
  if (failed(call)) return NULL;
  const int64_t dims[] = {a, b, c};
  size_t bytes = sizeof(float) * a * b * (rank == 3 ? c : 1);
  TF_Tensor *out =
      TF_AllocateOutput(call->context, call->outputs, FLOAT, dims, rank, bytes, call->status);
  call->out[call->outputs++] = out;
  return failed(call) ? NULL : TF_TensorData(out);
}

/* The first output, in the memory of input k, which has the same shape, if nothing else needs that
   input; else in new memory. The input stays readable until it is overwritten. */
static float *output_over(struct call *call, int k, int64_t a, int64_t b, int64_t c) {
  if (failed(call)) return NULL;
  const int64_t dims[] = {a, b, c};
  int taken = -1;
  TF_DeleteTensor(call->in[k]); /* or this call would still hold it */
  call->in[k] = NULL;
  TF_Tensor *out = TF_ForwardInputOrAllocateOutput(call->context, &k, 1, call->outputs, dims, 3,
                                                   &taken, call->status);
  call->out[call->outputs++] = out;
  if (taken != k && !failed(call)) TF_GetInput(call->context, k, &call->in[k], call->status);
  return failed(call) ? NULL : TF_TensorData(out);
}

static void end(struct call *call) {
  if (failed(call)) TF_OpKernelContext_Failure(call->context, call->status);
  for (int k = 0; k < call->inputs; k++)
    if (call->in[k]) TF_DeleteTensor(call->in[k]);
  for (int k = 0; k < call->outputs; k++)
    if (call->out[k]) TF_DeleteTensor(call->out[k]);
  TF_DeleteStatus(call->status);
}

struct options {
  unsigned char keep, outputs, relu, gated, reset_after;
};

static void option(TF_OpKernelConstruction *construction, const char *name, unsigned char *value) {
  TF_Status *status = TF_NewStatus(); /* an operation that has no such option leaves it at 0 */
  TF_OpKernelConstruction_GetAttrBool(construction, name, value, status);
  TF_DeleteStatus(status);
}

static void *create(TF_OpKernelConstruction *construction) {
  struct options *options = calloc(1, sizeof *options);
  if (!options) {
    TF_Status *status = TF_NewStatus();
    TF_SetStatus(status, RESOURCE_EXHAUSTED, "no memory for the options of a recurrent layer");
    TF_OpKernelConstruction_Failure(construction, status);
    TF_DeleteStatus(status);
    return NULL;
  }
  option(construction, "keep", &options->keep);
  option(construction, "outputs", &options->outputs);
  option(construction, "relu", &options->relu);
  option(construction, "gated", &options->gated);
  option(construction, "reset_after", &options->reset_after);
  return options;
}

static void delete(void *options) { free(options); }

static void any_shape(TF_ShapeInferenceContext *context, TF_Status *status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

static void define(const char *name, const char *const *inputs, const char *const *outputs,
                   const char *const *attributes, TF_KernelBuilder *kernel) {
  TF_Status *status = TF_NewStatus();
  TF_OpDefinitionBuilder *op = TF_NewOpDefinitionBuilder(name);
  for (; *attributes; attributes++) TF_OpDefinitionBuilderAddAttr(op, *attributes);
  for (; *inputs; inputs++) TF_OpDefinitionBuilderAddInput(op, *inputs);
  for (; *outputs; outputs++) TF_OpDefinitionBuilderAddOutput(op, *outputs);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, any_shape);
  TF_RegisterOpDefinition(op, status);
  TF_RegisterKernelBuilder(name, kernel, status);
  TF_DeleteStatus(status);
}

#endif
