/* SPDX-License-Identifier: Apache-2.0 */

/* Tables of signal processing: BlackmanWindow, HammingWindow, HannWindow,
 * MelWeightMatrix. */

#include <math.h>

#include "ops/support.h"

typedef struct TableParams {
    NnDtype dtype;
    int64_t periodic;
} TableParams;

static int table_prepare(const NnNode *node, void *params, NnError *error)
{
    TableParams *p = params;
    int64_t number;
    int r = nn_node_int(node, "output_datatype", 1, &number, error);
    if (r >= 0)
        r = nn_op_dtype(number, &p->dtype, error);
    if (r >= 0)
        r = nn_node_int(node, "periodic", 1, &p->periodic, error);
    if (r < 0)
        return r;
    if (p->dtype == NN_DTYPE_BOOL)
        return nn_error_set(error, -EBADMSG, "output_datatype is bool, expected numbers");
    return 0;
}

#define SWITCH_TABLE(dtype, ...)                                                             \
    NN_SWITCH(dtype, NN_CASES_FLOAT(__VA_ARGS__) NN_CASES_SIGNED(__VA_ARGS__)                \
                     NN_CASES_UNSIGNED(__VA_ARGS__) NN_CASE(NN_DTYPE_F16, NnF16, __VA_ARGS__))

static int window_infer(const NnCall *call)
{
    const TableParams *p = call->params;
    int64_t size;
    int r = nn_input_int(call, 0, &size);
    if (r < 0)
        return r;
    if (size < 0)
        return nn_error_set(call->error, -EBADMSG, "a window of %lld", (long long)size);
    return nn_set_output(call, 0, p->dtype, 1, &size);
}

/* a0 - a1·cos(2πi/n) + a2·cos(4πi/n) */
static int window_run(const NnCall *call, double a0, double a1, double a2)
{
    const TableParams *p = call->params;
    NnTensor *out = call->out[0];
    int64_t n = p->periodic ? out->dims[0] : NN_MAX(out->dims[0] - 1, 1);
    SWITCH_TABLE(out->dtype, {
        for (int64_t i = 0; i < out->dims[0]; i++) {
            double angle = 2 * M_PI * (double)i / (double)n;
            ((T *)out->data)[i] = (T)(a0 - a1 * cos(angle) + a2 * cos(2 * angle));
        }
    })
    return 0;
}

static int blackman_window_run(const NnCall *call)
{
    return window_run(call, 0.42, 0.5, 0.08);
}

static int hamming_window_run(const NnCall *call)
{
    return window_run(call, 25.0 / 46, 21.0 / 46, 0);
}

static int hann_window_run(const NnCall *call)
{
    return window_run(call, 0.5, 0.5, 0);
}

#define TABLE_OP(symbol, name, inputs, infer_func)      \
    const NnOp nn_op_##symbol = {                       \
        .type = name,                                   \
        .domain = "",                                   \
        .since = 17,                                    \
        .min_inputs = inputs,                           \
        .max_inputs = inputs,                           \
        .max_outputs = 1,                               \
        .params_bytes = sizeof(TableParams),            \
        .prepare = table_prepare,                       \
        .infer = infer_func,                            \
        .run = symbol##_run,                            \
    };

TABLE_OP(blackman_window, "BlackmanWindow", 1, window_infer)
TABLE_OP(hamming_window, "HammingWindow", 1, window_infer)
TABLE_OP(hann_window, "HannWindow", 1, window_infer)

/* Inputs: mel bins, length of the DFT, sample rate, lowest and highest frequency. */
static int mel_weight_matrix_infer(const NnCall *call)
{
    const TableParams *p = call->params;
    int64_t bins, length;
    int r = nn_check_inputs(call, 5);
    for (size_t i = 2; r >= 0 && i < 5; i++) {
        r = nn_check_dtype(call, i, i == 2 ? NN_TYPES_INDEX : NN_TYPES_FLOAT);
        if (r >= 0 && nn_tensor_elements(call->in[i]) != 1)
            r = nn_error_set(call->error, -EBADMSG, "input %zu is not one number", i);
    }
    if (r >= 0)
        r = nn_input_int(call, 0, &bins);
    if (r >= 0)
        r = nn_input_int(call, 1, &length);
    if (r < 0)
        return r;
    if (bins < 0 || bins > INT32_MAX || length < 0 || length > INT32_MAX)
        return nn_error_set(call->error, -EBADMSG, "%lld mel bins of a DFT of %lld",
                            (long long)bins, (long long)length);
    return nn_set_output(call, 0, p->dtype, 2, (int64_t[]){ length / 2 + 1, bins });
}

static double to_mel(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

/* Edges of the triangles, as numbers of DFT bins: they lie evenly on the mel scale. */
typedef struct Mel {
    double low, step;           /* in mel */
    double bins_per_hertz;
} Mel;

static double mel_edge(const Mel *mel, int64_t i)
{
    double hertz = 700 * (pow(10, (mel->low + mel->step * (double)i) / 2595) - 1);
    return floor(hertz * mel->bins_per_hertz);
}

/* The triangle of one mel bin at DFT bin `x`: rises to 1 at its centre, falls to 0. */
static double mel_weight(double x, double lower, double center, double higher)
{
    if (x < center)
        return x >= lower ? (x - lower) / (center - lower) : 0;
    if (x == center)
        return 1;
    return x < higher ? (higher - x) / (higher - center) : 0;
}

static int mel_weight_matrix_run(const NnCall *call)
{
    NnTensor *out = call->out[0];
    int64_t bins = out->dims[1], length = nn_load_int(call->in[1], 0);
    int64_t rate = nn_load_int(call->in[2], 0);
    double low = to_mel(nn_load_float(call->in[3], 0));
    double high = to_mel(nn_load_float(call->in[4], 0));
    if (rate < 1 || !isfinite(low) || !isfinite(high))
        return nn_error_set(
            call->error, -EDOM, "frequencies from %g to %g at %lld samples a second",
            nn_load_float(call->in[3], 0), nn_load_float(call->in[4], 0), (long long)rate);
    Mel mel = { .low = low, .step = (high - low) / (double)(bins + 2),
                .bins_per_hertz = (double)(length + 1) / (double)rate };
    SWITCH_TABLE(out->dtype, {
        for (int64_t i = 0; i < bins; i++) {
            double lower = mel_edge(&mel, i), center = mel_edge(&mel, i + 1);
            double higher = mel_edge(&mel, i + 2);
            for (int64_t j = 0; j < out->dims[0]; j++)
                ((T *)out->data)[j * bins + i] = (T)mel_weight((double)j, lower, center, higher);
        }
    })
    return 0;
}

TABLE_OP(mel_weight_matrix, "MelWeightMatrix", 5, mel_weight_matrix_infer)
