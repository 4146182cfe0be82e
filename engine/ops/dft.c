/* SPDX-License-Identifier: Apache-2.0 */

/* DFT and STFT. Lengths that are powers of two go through the radix-2 transform,
 * others through Bluestein's (IEEE Trans. AU-18, 1970), which makes a convolution
 * out of them: every length costs n·log n. All in double. */

#include <complex.h>
#include <math.h>

#include "ops/support.h"

typedef double complex Complex;

/* A transform of one length; the arrays lie in scratch. */
typedef struct Transform {
    int64_t n, m;           /* m: the power of two that the work is done in */
    double sign;            /* -1 forwards, 1 backwards */
    Complex *line;          /* n: what is transformed, in place */
    Complex *roots;         /* m/2 */
    Complex *chirp;         /* n, and what follows: lengths that are no powers of two */
    Complex *filter;        /* m: the transformed convolution kernel */
    Complex *work;          /* m */
} Transform;

static bool is_power_of_two(int64_t n)
{
    return (n & (n - 1)) == 0;
}

static int64_t work_length(int64_t n)
{
    int64_t m = 1;
    while (m < (is_power_of_two(n) ? n : 2 * n - 1))
        m *= 2;
    return m;
}

static size_t transform_scratch(int64_t n)
{
    int64_t m = work_length(n);
    return (size_t)(is_power_of_two(n) ? n + m : 2 * n + 3 * m) * sizeof(Complex);
}

static Complex unit(double turns)
{
    return cos(2 * M_PI * turns) + I * sin(2 * M_PI * turns);
}

/* Radix 2, decimation in time; forwards, or backwards with conjugate roots. */
static void radix2(Complex *x, int64_t m, const Complex *roots, bool conjugate)
{
    for (int64_t i = 1, j = 0; i < m; i++) {
        int64_t bit = m >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i < j) {
            Complex kept = x[i];
            x[i] = x[j];
            x[j] = kept;
        }
    }
    for (int64_t half = 1; half < m; half *= 2) {
        for (int64_t begin = 0; begin < m; begin += 2 * half) {
            for (int64_t i = 0; i < half; i++) {
                Complex root = roots[i * (m / 2 / half)];
                Complex odd = x[begin + half + i] * (conjugate ? conj(root) : root);
                x[begin + half + i] = x[begin + i] - odd;
                x[begin + i] += odd;
            }
        }
    }
}

static void transform_start(Transform *t, int64_t n, bool inverse, void *scratch)
{
    *t = (Transform){ .n = n, .m = work_length(n), .sign = inverse ? 1 : -1, .line = scratch };
    t->roots = t->line + n;
    for (int64_t i = 0; i < t->m / 2; i++)
        t->roots[i] = unit(-(double)i / (double)t->m);
    if (is_power_of_two(n))
        return;
    t->chirp = t->roots + t->m;
    t->filter = t->chirp + n;
    t->work = t->filter + t->m;
    memset(t->filter, 0, (size_t)t->m * sizeof(Complex));
    for (int64_t i = 0; i < n; i++) {
        /* i² modulo 2n keeps the angle exact. */
        t->chirp[i] = unit(t->sign * (double)(i * i % (2 * n)) / (double)(2 * n));
        t->filter[i] = conj(t->chirp[i]);
        t->filter[i ? t->m - i : 0] = conj(t->chirp[i]);
    }
    radix2(t->filter, t->m, t->roots, false);
}

static void bluestein(const Transform *t)
{
    memset(t->work, 0, (size_t)t->m * sizeof(Complex));
    for (int64_t i = 0; i < t->n; i++)
        t->work[i] = t->line[i] * t->chirp[i];
    radix2(t->work, t->m, t->roots, false);
    for (int64_t i = 0; i < t->m; i++)
        t->work[i] *= t->filter[i];
    radix2(t->work, t->m, t->roots, true);
    for (int64_t i = 0; i < t->n; i++)
        t->line[i] = t->work[i] / (double)t->m * t->chirp[i];
}

/* Transforms the line; backwards it is divided by its length. */
static void transform(const Transform *t)
{
    if (is_power_of_two(t->n))
        radix2(t->line, t->m, t->roots, t->sign > 0);
    else
        bluestein(t);
    for (int64_t i = 0; t->sign > 0 && i < t->n; i++)
        t->line[i] /= (double)t->n;
}

typedef struct DftParams {
    int64_t axis, inverse, onesided;
} DftParams;

static int dft_prepare(const NnNode *node, void *params, NnError *error)
{
    DftParams *p = params;
    int r = nn_node_int(node, "axis", 1, &p->axis, error);
    if (r >= 0)
        r = nn_node_int(node, "inverse", 0, &p->inverse, error);
    return r < 0 ? r : nn_node_int(node, "onesided", 0, &p->onesided, error);
}

/* Real or complex numbers stand along the last dimension. */
static int check_parts(const NnCall *call, int64_t onesided)
{
    const NnTensor *in = call->in[0];
    int64_t parts = in->dims[in->rank - 1];
    if (parts != 1 && parts != 2)
        return nn_error_set(call->error, -EBADMSG,
                            "the last dimension is %lld, expected 1 (real) or 2 (complex)",
                            (long long)parts);
    if (parts == 2 && onesided)
        return nn_error_set(call->error, -EBADMSG, "a complex signal has no one-sided transform");
    return 0;
}

/* Axis and length of the transform. */
static int dft_shape(const NnCall *call, int *ret_axis, int64_t *ret_n)
{
    const DftParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t axis = p->axis, n;
    int r = 0;
    if (call->node->opset >= 20) {
        axis = -2;
        r = nn_input(call, 2) ? nn_input_int(call, 2, &axis) : 0;
    }
    if (r >= 0)
        r = nn_resolve_axis(call, axis, in->rank, ret_axis);
    if (r < 0)
        return r;
    if (*ret_axis == in->rank - 1)
        return nn_error_set(call->error, -EBADMSG,
                            "axis %lld holds the parts of the complex numbers", (long long)axis);
    n = in->dims[*ret_axis];
    r = nn_input(call, 1) ? nn_input_int(call, 1, &n) : 0;
    if (r < 0)
        return r;
    if (n < 1 || n > INT32_MAX)
        return nn_error_set(call->error, -EBADMSG, "a transform of %lld numbers", (long long)n);
    *ret_n = n;
    return 0;
}

static int dft_infer(const NnCall *call)
{
    const DftParams *p = call->params;
    int axis, r = nn_check_inputs(call, 1);
    int64_t n, dims[NN_RANK_MAX];
    if (r >= 0 && call->node->opset < 20 && nn_input(call, 2))
        r = nn_error_set(call->error, -EBADMSG, "the axis is an attribute before opset 20");
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_check_rank(call, 0, 2, NN_RANK_MAX);
    if (r >= 0)
        r = check_parts(call, p->onesided);
    if (r >= 0)
        r = dft_shape(call, &axis, &n);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    memcpy(dims, in->dims, sizeof(dims));
    dims[axis] = p->onesided ? n / 2 + 1 : n;
    dims[in->rank - 1] = 2;
    return nn_set_output(call, 0, in->dtype, in->rank, dims);
}

static size_t dft_scratch(const NnCall *call)
{
    int axis;
    int64_t n = 0;
    return dft_shape(call, &axis, &n) < 0 ? 0 : transform_scratch(n);
}

/* A number of one or two parts. */
static Complex load(const NnTensor *in, int64_t index, int64_t parts)
{
    double real = nn_load_float(in, index);
    return parts == 2 ? real + I * nn_load_float(in, index + 1) : real;
}

static void store(NnTensor *out, int64_t index, Complex x)
{
    NN_SWITCH_FLOAT(out->dtype, {
        ((T *)out->data)[index] = (T)creal(x);
        ((T *)out->data)[index + 1] = (T)cimag(x);
    })
}

static int dft_run(const NnCall *call)
{
    const DftParams *p = call->params;
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    Transform t;
    int axis;
    int64_t n, parts = in->dims[in->rank - 1];
    int r = dft_shape(call, &axis, &n);
    if (r < 0)
        return r;
    int64_t inner = nn_product(in->dims, axis + 1, in->rank - 1);
    int64_t lines = nn_product(in->dims, 0, axis) * inner;
    transform_start(&t, n, p->inverse != 0, call->scratch);
    for (int64_t line = 0; line < lines; line++) {
        int64_t from = line / inner * in->dims[axis] * inner + line % inner;
        int64_t to = line / inner * out->dims[axis] * inner + line % inner;
        for (int64_t i = 0; i < n; i++)
            t.line[i] = i < in->dims[axis] ? load(in, (from + i * inner) * parts, parts) : 0;
        transform(&t);
        for (int64_t i = 0; i < out->dims[axis]; i++)
            store(out, (to + i * inner) * 2, t.line[i]);
    }
    return 0;
}

const NnOp nn_op_dft = {
    .type = "DFT",
    .domain = "",
    .since = 17,
    .min_inputs = 1,
    .max_inputs = 3,
    .max_outputs = 1,
    .params_bytes = sizeof(DftParams),
    .prepare = dft_prepare,
    .infer = dft_infer,
    .scratch = dft_scratch,
    .run = dft_run,
};

typedef struct StftParams {
    int64_t onesided;
} StftParams;

static int stft_prepare(const NnNode *node, void *params, NnError *error)
{
    StftParams *p = params;
    return nn_node_int(node, "onesided", 1, &p->onesided, error);
}

/* Inputs: signal [batch, samples, parts], step, window, length of a frame. */
static int stft_shape(const NnCall *call, int64_t *ret_step, int64_t *ret_n)
{
    const NnTensor *window = nn_input(call, 2);
    int64_t samples = call->in[0]->dims[1], step = 0, n = window ? window->dims[0] : 0;
    int r = nn_input_int(call, 1, &step);
    if (r >= 0 && nn_input(call, 3))
        r = nn_input_int(call, 3, &n);
    if (r < 0)
        return r;
    if (!window && !nn_input(call, 3))
        return nn_error_set(call->error, -EBADMSG, "it has neither window nor frame_length");
    if (window && window->dims[0] != n)
        return nn_error_set(call->error, -EBADMSG, "a window of %lld for frames of %lld",
                            (long long)window->dims[0], (long long)n);
    if (step < 1 || n < 1 || n > samples)
        return nn_error_set(call->error, -EBADMSG, "frames of %lld, %lld apart, of %lld samples",
                            (long long)n, (long long)step, (long long)samples);
    *ret_step = step;
    *ret_n = n;
    return 0;
}

static int stft_infer(const NnCall *call)
{
    const StftParams *p = call->params;
    int64_t step, n;
    int r = nn_check_inputs(call, 2);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
    if (r >= 0)
        r = nn_check_rank(call, 0, 3, 3);
    if (r >= 0)
        r = check_parts(call, p->onesided);
    if (r >= 0)
        r = nn_check_same_dtype(call, 2);
    if (r >= 0)
        r = nn_check_rank(call, 2, 1, 1);
    if (r >= 0)
        r = stft_shape(call, &step, &n);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    int64_t dims[4] = { in->dims[0], (in->dims[1] - n) / step + 1, p->onesided ? n / 2 + 1 : n, 2 };
    return nn_set_output(call, 0, in->dtype, 4, dims);
}

static size_t stft_scratch(const NnCall *call)
{
    int64_t step, n = 0;
    return stft_shape(call, &step, &n) < 0 ? 0 : transform_scratch(n);
}

static int stft_run(const NnCall *call)
{
    const NnTensor *in = call->in[0], *window = nn_input(call, 2);
    NnTensor *out = call->out[0];
    Transform t;
    int64_t step, n, parts = in->dims[2], frames = out->dims[1], bins = out->dims[2];
    int r = stft_shape(call, &step, &n);
    if (r < 0)
        return r;
    transform_start(&t, n, false, call->scratch);
    for (int64_t frame = 0; frame < in->dims[0] * frames; frame++) {
        int64_t from = frame / frames * in->dims[1] + frame % frames * step;
        for (int64_t i = 0; i < n; i++)
            t.line[i] = load(in, (from + i) * parts, parts) *
                        (window ? nn_load_float(window, i) : 1);
        transform(&t);
        for (int64_t i = 0; i < bins; i++)
            store(out, (frame * bins + i) * 2, t.line[i]);
    }
    return 0;
}

const NnOp nn_op_stft = {
    .type = "STFT",
    .domain = "",
    .since = 17,
    .min_inputs = 2,
    .max_inputs = 4,
    .max_outputs = 1,
    .params_bytes = sizeof(StftParams),
    .prepare = stft_prepare,
    .infer = stft_infer,
    .scratch = stft_scratch,
    .run = stft_run,
};
