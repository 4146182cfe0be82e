/* SPDX-License-Identifier: Apache-2.0 */

/* Conv, with every GEMM kernel of the list that this processor has, against the
 * sum of the definition in double. Tolerance: 2e-6 of the sum of the absolute
 * products (a float sum of K terms, blocked, errs by less), plus 1e-6 relative
 * after the activation. Also: the same bits for any number of threads. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "check.h"
#include "kernels/kernels.h"

#define TOLERANCE 2e-6

typedef struct Case {
    int64_t batch, channels, h, w, out_channels, kernel_h, kernel_w;
    int rank;
    NnConvParams p;
    bool bias, constant;
} Case;

static const char *describe(const Case *c, char *text, size_t n)
{
    snprintf(text, n, "x %lldx%lldx%lldx%lld w %lldx%lldx%lld stride %lld,%lld dilation %lld,%lld "
             "pads %lld,%lld,%lld,%lld auto_pad %d group %lld rank %d bias %d residual %d "
             "constant %d activation %d", (long long)c->batch, (long long)c->channels,
             (long long)c->h, (long long)c->w, (long long)c->out_channels, (long long)c->kernel_h,
             (long long)c->kernel_w, (long long)c->p.strides[0], (long long)c->p.strides[1],
             (long long)c->p.dilations[0], (long long)c->p.dilations[1], (long long)c->p.pads[0],
             (long long)c->p.pads[1], (long long)c->p.pads[2], (long long)c->p.pads[3],
             c->p.auto_pad, (long long)c->p.group, c->rank, c->bias, c->p.residual, c->constant,
             c->p.activation.kind);
    return text;
}

static double activate(const NnActivation *a, double x)
{
    switch (a->kind) {
    case NN_ACTIVATION_RELU:
        return fmax(x, 0);
    case NN_ACTIVATION_LEAKY_RELU:
        return x < 0 ? x * a->alpha : x;
    case NN_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case NN_ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    case NN_ACTIVATION_HARD_SWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case NN_ACTIVATION_CLIP:
        return fmin(fmax(x, a->low), a->high);
    default:
        return x;
    }
}

/* Pads as the ONNX specification of Conv defines auto_pad. */
static void reference_pads(const Case *c, int64_t out_h, int64_t out_w, int64_t *top, int64_t *left)
{
    int64_t total_h, total_w;

    *top = c->p.pads[0];
    *left = c->p.pads[1];
    if (c->p.auto_pad == 0)
        return;
    *top = *left = 0;
    if (c->p.auto_pad == 3)
        return;
    total_h = (out_h - 1) * c->p.strides[0] + (c->kernel_h - 1) * c->p.dilations[0] + 1 - c->h;
    total_w = (out_w - 1) * c->p.strides[1] + (c->kernel_w - 1) * c->p.dilations[1] + 1 - c->w;
    total_h = NN_MAX(total_h, 0);
    total_w = NN_MAX(total_w, 0);
    *top = c->p.auto_pad == 1 ? total_h / 2 : (total_h + 1) / 2;
    *left = c->p.auto_pad == 1 ? total_w / 2 : (total_w + 1) / 2;
}

static double reference_at(const Case *c, const float *x, const float *w, int64_t n, int64_t oc,
                           int64_t y0, int64_t x0, double *ret_sum_of_abs)
{
    int64_t group_in = c->channels / c->p.group, g = oc / (c->out_channels / c->p.group);
    double sum = 0, sum_of_abs = 0;

    for (int64_t ic = 0; ic < group_in; ic++)
        for (int64_t ky = 0; ky < c->kernel_h; ky++)
            for (int64_t kx = 0; kx < c->kernel_w; kx++) {
                int64_t iy = y0 + ky * c->p.dilations[0], ix = x0 + kx * c->p.dilations[1];
                double product;

                if (iy < 0 || iy >= c->h || ix < 0 || ix >= c->w)
                    continue;
                product =
                    (double)x[((n * c->channels + g * group_in + ic) * c->h + iy) * c->w + ix] *
                    w[((oc * group_in + ic) * c->kernel_h + ky) * c->kernel_w + kx];
                sum += product;
                sum_of_abs += fabs(product);
            }
    *ret_sum_of_abs = sum_of_abs;
    return sum;
}

static void compare(Check *check, const Case *c, const float *x, const float *w, const float *bias,
                    const float *residual, const NnTensor *out)
{
    int64_t out_h = c->rank == 4 ? out->dims[2] : 1, out_w = out->dims[c->rank - 1];
    int64_t total = nn_tensor_elements(out), step = NN_MAX(total / 4000, 1), top, left;
    char text[512];

    reference_pads(c, out_h, out_w, &top, &left);
    for (int64_t i = check_between(check, 0, step - 1); i < total;
         i += check_between(check, 1, 2 * step - 1)) {
        int64_t ox = i % out_w, oy = i / out_w % out_h, oc = i / (out_w * out_h) % c->out_channels;
        int64_t n = i / (out_w * out_h * c->out_channels);
        double sum_of_abs, got = ((const float *)out->data)[i];
        double expected = reference_at(c, x, w, n, oc, oy * c->p.strides[0] - top,
                                       ox * c->p.strides[1] - left, &sum_of_abs);

        if (bias)
            expected += bias[oc];
        if (residual)
            expected += residual[i];
        expected = activate(&c->p.activation, expected);
        check->n_compared++;
        if (!(fabs(got - expected) <= TOLERANCE * (sum_of_abs + 1) + 1e-6 * fabs(expected)))
            check_fail(check, "%s: index %lld (n %lld, channel %lld, y %lld, x %lld): got %.9g, "
                       "expected %.9g", describe(c, text, sizeof(text)), (long long)i, (long long)n,
                       (long long)oc, (long long)oy, (long long)ox, got, expected);
    }
}

/* The tensors of one case and the call on them. */
typedef struct Setup {
    const Case *c;
    NnTensor x, w, bias, residual, y;
    const NnTensor *in[4];
    NnTensor *out[1];
    Guarded gx, gw, gbias, gresidual, gy;
    NnError error;
    NnCall call;
    char text[512];
} Setup;

static Guarded random_tensor(Check *check, NnTensor *tensor)
{
    Guarded g = check_alloc(nn_tensor_elements(tensor), (int)check_between(check, 0, 15));

    check_fill(check, g.data, g.n);
    tensor->data = g.data;
    return g;
}

/* Shapes first: the residual has the one that infer finds without it. */
static void infer_shapes(Check *check, Setup *s)
{
    NnConvParams plain = s->c->p;

    plain.residual = false;
    s->call.params = &plain;
    if (nn_op_conv.infer(&s->call) < 0)
        check_fail(check, "%s: %s", s->text, s->error.message);
    s->residual = s->y;
    s->in[3] = s->c->p.residual ? &s->residual : NULL;
    s->call.params = &s->c->p;
    s->call.n_in = s->c->p.residual ? 4 : 3;
    if (nn_op_conv.infer(&s->call) < 0)
        check_fail(check, "%s: %s", s->text, s->error.message);
    if (!nn_tensor_same_shape(&s->y, &s->residual))
        check_fail(check, "%s: the residual changed the output's shape", s->text);
}

static void set_up(Check *check, const Case *c, const NnKernels *kernels, Setup *s)
{
    int rank = c->rank;

    *s = (Setup){
        .c = c,
        .x = { .dtype = NN_DTYPE_F32, .rank = rank, .dims = { c->batch, c->channels, c->h } },
        .w = { .dtype = NN_DTYPE_F32, .rank = rank,
               .dims = { c->out_channels, c->channels / c->p.group, c->kernel_h } },
        .bias = { .dtype = NN_DTYPE_F32, .rank = 1, .dims = { c->out_channels } },
    };
    describe(c, s->text, sizeof(s->text));
    s->x.dims[rank - 1] = c->w;
    s->w.dims[rank - 1] = c->kernel_w;
    s->in[0] = &s->x;
    s->in[1] = &s->w;
    s->in[2] = c->bias ? &s->bias : NULL;
    s->out[0] = &s->y;
    s->call = (NnCall){ .in = s->in, .n_in = 3, .out = s->out, .n_out = 1, .kernels = kernels,
                        .error = &s->error };
    infer_shapes(check, s);
    s->gx = random_tensor(check, &s->x);
    s->gw = random_tensor(check, &s->w);
    s->gbias = random_tensor(check, &s->bias);
    s->gresidual = random_tensor(check, &s->residual);
    s->gy = random_tensor(check, &s->y);
}

static void tear_down(const Check *check, Setup *s)
{
    check_free(check, &s->gx, "x");
    check_free(check, &s->gw, "w");
    check_free(check, &s->gbias, "bias");
    check_free(check, &s->gresidual, "residual");
    check_free(check, &s->gy, "y");
}

/* Output and scratch hold NaN before, so that a hole or a stale read shows. */
static void run_once(Check *check, Setup *s, NnPool *pool)
{
    Guarded scratch;

    s->call.pool = pool;
    scratch = check_alloc((int64_t)(nn_op_conv.scratch(&s->call) / sizeof(float)), 0);
    for (int64_t i = 0; i < scratch.n; i++)
        scratch.data[i] = NAN;
    for (int64_t i = 0; i < s->gy.n; i++)
        s->gy.data[i] = NAN;
    s->call.scratch = scratch.data;
    if (nn_op_conv.run(&s->call) < 0)
        check_fail(check, "%s: run failed: %s", s->text, s->error.message);
    check_free(check, &scratch, s->text);
}

/* What create packed, at another address, as when a file is mapped; NULL for
 * nothing. The weights themselves are gone then. */
static void *make_state(Check *check, Setup *s)
{
    void *state = NULL, *moved = NULL;
    size_t bytes = 0;

    s->w.data = s->c->constant ? s->gw.data : NULL;
    if (nn_op_conv.create(&s->call, &state, &bytes) < 0)
        check_fail(check, "%s: create failed", s->text);
    s->w.data = state ? NULL : s->gw.data;
    if (state) {
        moved = nn_aligned_alloc(bytes);
        memcpy(moved, state, bytes);
        free(state);
        if (nn_op_conv.check_state(&s->call, moved, bytes) < 0)
            check_fail(check, "%s: its state is refused: %s", s->text, s->error.message);
        if (nn_op_conv.check_state(&s->call, moved, bytes - 1) != -EBADMSG)
            check_fail(check, "%s: a state that is too short is taken", s->text);
    }
    s->call.state = moved;
    return moved;
}

static void check_case(Check *check, const Case *c, const NnKernels *kernels, NnPool *const *pools,
                       size_t n_pools)
{
    void *state;
    Guarded first;
    Setup s;

    set_up(check, c, kernels, &s);
    state = make_state(check, &s);
    first = check_alloc(s.gy.n, 0);
    for (size_t i = 0; i < n_pools; i++) {
        run_once(check, &s, pools[i]);
        if (i == 0) {
            compare(check, c, s.gx.data, s.gw.data, c->bias ? s.gbias.data : NULL,
                    c->p.residual ? s.gresidual.data : NULL, &s.y);
            memcpy(first.data, s.gy.data, (size_t)s.gy.n * sizeof(float));
        } else if (memcmp(first.data, s.gy.data, (size_t)s.gy.n * sizeof(float)) != 0) {
            check_fail(check, "%s: other bits with %u threads than with one", s.text,
                       nn_pool_threads(pools[i]));
        }
    }
    free(state);
    check_free(check, &first, "copy");
    tear_down(check, &s);
}

static NnActivation random_activation(Check *check)
{
    return (NnActivation){
        .kind = (NnActivationKind)check_between(check, 0, _NN_ACTIVATION_MAX - 1),
        .alpha = 0.1f,
        .low = -0.5f,
        .high = 0.75f,
    };
}

static bool fits(const Case *c)
{
    int64_t h = c->h + c->p.pads[0] + c->p.pads[2], w = c->w + c->p.pads[1] + c->p.pads[3];

    if (c->p.auto_pad == 3) {
        h = c->h;
        w = c->w;
    } else if (c->p.auto_pad) {
        return true;
    }
    return (c->kernel_h - 1) * c->p.dilations[0] + 1 <= h &&
           (c->kernel_w - 1) * c->p.dilations[1] + 1 <= w;
}

static Case random_case(Check *check)
{
    Case c = { 0 };
    int64_t group, depthwise;

    do {
        depthwise = check_between(check, 0, 3) == 0;
        group = depthwise ? check_between(check, 2, 9)
                          : check_between(check, 0, 2) ? 1 : check_between(check, 2, 4);
        c = (Case){
            .batch = check_between(check, 1, 2),
            .channels = group * (depthwise ? 1 : check_between(check, 1, 20)),
            .out_channels = group * check_between(check, 1, depthwise ? 3 : 20),
            .h = check_between(check, 1, 15),
            .w = check_between(check, 1, 30),
            .kernel_h = check_between(check, 1, 4),
            .kernel_w = check_between(check, 1, 5),
            .rank = check_between(check, 0, 4) ? 4 : 3,
            .bias = check_between(check, 0, 1),
            .constant = check_between(check, 0, 4) != 0,
            .p = {
                .strides = { check_between(check, 1, 3), check_between(check, 1, 3) },
                .dilations = { check_between(check, 1, 2), check_between(check, 1, 3) },
                .pads = { check_between(check, 0, 3), check_between(check, 0, 4),
                          check_between(check, 0, 3), check_between(check, 0, 4) },
                .group = group,
                .auto_pad = (int)(check_between(check, 0, 2) ? 0 : check_between(check, 1, 3)),
                .activation = random_activation(check),
                .residual = check_between(check, 0, 1),
            },
        };
        if (c.rank == 3) {
            c.h = c.kernel_h = c.p.strides[0] = c.p.dilations[0] = 1;
            c.p.pads[0] = c.p.pads[2] = 0;
            c.p.spatial = 1;
        }
    } while (!fits(&c));
    return c;
}

#define LAYER(channels_, size, out_, kernel_, stride_, group_)                               \
    { .batch = 1, .channels = channels_, .h = size, .w = size, .out_channels = out_,         \
      .kernel_h = kernel_, .kernel_w = kernel_, .rank = 4, .bias = true, .constant = true,   \
      .p = { .kernel = { kernel_, kernel_ }, .strides = { stride_, stride_ },                \
             .dilations = { 1, 1 }, .group = group_,                                         \
             .pads = { kernel_ / 2, kernel_ / 2, kernel_ / 2, kernel_ / 2 },                 \
             .activation = { .kind = NN_ACTIVATION_SILU } } }

/* YOLOv7-tiny, YOLOv5, ResNet, MobileNet. */
static const Case layers[] = {
    LAYER(1, 96, 32, 3, 2, 1),    LAYER(32, 48, 64, 3, 2, 1),  LAYER(64, 24, 32, 1, 1, 1),
    LAYER(32, 24, 32, 3, 1, 1),   LAYER(512, 12, 256, 1, 1, 1), LAYER(128, 12, 255, 1, 1, 1),
    LAYER(3, 64, 32, 6, 2, 1),    LAYER(3, 56, 64, 7, 2, 1),   LAYER(512, 7, 512, 3, 1, 1),
    LAYER(64, 28, 128, 1, 2, 1),  LAYER(96, 28, 96, 3, 1, 96), LAYER(96, 28, 96, 5, 2, 96),
    LAYER(64, 14, 64, 3, 1, 32),
};

static void check_kernels(Check *check, const NnKernels *kernels, NnPool *const *pools,
                          size_t n_pools)
{
    const char *text = getenv("CHECK_CASES");
    int n_cases = text ? atoi(text) : 400;

    check->kernel = kernels->f32_gemm.name;
    for (int i = 0; i < n_cases; i++) {
        Case c = random_case(check);

        check_case(check, &c, kernels, pools, n_pools);
    }
    for (size_t i = 0; i < NN_ARRAY_SIZE(layers); i++)
        check_case(check, &layers[i], kernels, pools, n_pools);
}

int main(int argc, char **argv)
{
    static const unsigned threads[] = { 1, 2, 3 };
    NnPool *pools[NN_ARRAY_SIZE(threads)] = { NULL };
    Check check;

    check_start(&check, "conv", argc, argv);
    for (size_t i = 0; i < NN_ARRAY_SIZE(threads); i++)
        if (nn_pool_new(threads[i], &pools[i]) < 0)
            check_fail(&check, "no pool of %u threads", threads[i]);
    for (int isa = 0; isa < _NN_ISA_MAX; isa++) {
        NnKernels kernels;

        if (!nn_isa_available((NnIsa)isa))
            continue;
        nn_kernels_select((NnIsa)isa, &kernels);
        if (kernels.f32_gemm.isa == (NnIsa)isa)
            check_kernels(&check, &kernels, pools, NN_ARRAY_SIZE(pools));
    }
    for (size_t i = 0; i < NN_ARRAY_SIZE(threads); i++)
        nn_pool_free(pools[i]);
    return check_end(&check);
}
