/* SPDX-License-Identifier: Apache-2.0 */

/* Resize and Upsample. Nearest takes elements by a table of indices for each
 * dimension. Linear and cubic are separable: one pass for each dimension that
 * changes, every output a weighted sum of two or four inputs, of more where
 * antialias is asked for and the output is smaller. */

#include <math.h>

#include "ops/copy.h"

typedef enum Interpolation {
    INTERPOLATION_NEAREST,
    INTERPOLATION_LINEAR,
    INTERPOLATION_CUBIC,
} Interpolation;

typedef enum Coordinates {
    COORDINATES_HALF_PIXEL,
    COORDINATES_PYTORCH_HALF_PIXEL,
    COORDINATES_ALIGN_CORNERS,
    COORDINATES_ASYMMETRIC,
    COORDINATES_TF_CROP_AND_RESIZE,
    COORDINATES_TF_HALF_PIXEL_FOR_NN,
    COORDINATES_HALF_PIXEL_SYMMETRIC,
} Coordinates;

typedef enum Rounding {
    ROUNDING_PREFER_FLOOR,
    ROUNDING_PREFER_CEIL,
    ROUNDING_FLOOR,
    ROUNDING_CEIL,
} Rounding;

typedef enum Policy {
    POLICY_STRETCH,
    POLICY_NOT_LARGER,
    POLICY_NOT_SMALLER,
} Policy;

typedef struct ResizeParams {
    int mode, coordinates, rounding, policy;
    float cubic_a, extrapolation;
    int64_t exclude_outside, antialias;
    int64_t axes[NN_RANK_MAX];
    size_t n_axes;
} ResizeParams;

static const char *const modes[] = {
    [INTERPOLATION_NEAREST] = "nearest",
    [INTERPOLATION_LINEAR] = "linear",
    [INTERPOLATION_CUBIC] = "cubic",
    NULL,
};
static const char *const coordinate_modes[] = {
    [COORDINATES_HALF_PIXEL] = "half_pixel",
    [COORDINATES_PYTORCH_HALF_PIXEL] = "pytorch_half_pixel",
    [COORDINATES_ALIGN_CORNERS] = "align_corners",
    [COORDINATES_ASYMMETRIC] = "asymmetric",
    [COORDINATES_TF_CROP_AND_RESIZE] = "tf_crop_and_resize",
    [COORDINATES_TF_HALF_PIXEL_FOR_NN] = "tf_half_pixel_for_nn",
    [COORDINATES_HALF_PIXEL_SYMMETRIC] = "half_pixel_symmetric",
    NULL,
};
static const char *const rounding_modes[] = {
    [ROUNDING_PREFER_FLOOR] = "round_prefer_floor",
    [ROUNDING_PREFER_CEIL] = "round_prefer_ceil",
    [ROUNDING_FLOOR] = "floor",
    [ROUNDING_CEIL] = "ceil",
    NULL,
};
static const char *const policies[] = {
    [POLICY_STRETCH] = "stretch",
    [POLICY_NOT_LARGER] = "not_larger",
    [POLICY_NOT_SMALLER] = "not_smaller",
    NULL,
};

/* The index in `names` of a string attribute; its default is names[fallback]. */
static int read_choice(const NnNode *node, const char *attribute, const char *const *names,
                       int fallback, int *ret, NnError *error)
{
    const char *name;
    int r = nn_node_string(node, attribute, names[fallback], &name, error);
    if (r < 0)
        return r;
    for (int i = 0; names[i]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return nn_error_set(error, -ENOTSUP, "%s %s is not supported", attribute, name);
}

static int resize_prepare(const NnNode *node, void *params, NnError *error)
{
    ResizeParams *p = params;
    int r = read_choice(node, "mode", modes, INTERPOLATION_NEAREST, &p->mode, error);
    if (r < 0)
        return r;
    /* Before opset 11 there is one way only. */
    p->coordinates = COORDINATES_ASYMMETRIC;
    p->rounding = ROUNDING_FLOOR;
    if (node->opset < 11)
        return 0;
    r = read_choice(node, "coordinate_transformation_mode", coordinate_modes,
                    COORDINATES_HALF_PIXEL, &p->coordinates, error);
    if (r < 0)
        return r;
    r = read_choice(node, "nearest_mode", rounding_modes, ROUNDING_PREFER_FLOOR, &p->rounding,
                    error);
    if (r < 0)
        return r;
    r = read_choice(node, "keep_aspect_ratio_policy", policies, POLICY_STRETCH, &p->policy, error);
    if (r < 0)
        return r;
    r = nn_node_float(node, "cubic_coeff_a", -0.75f, &p->cubic_a, error);
    if (r < 0)
        return r;
    r = nn_node_float(node, "extrapolation_value", 0, &p->extrapolation, error);
    if (r < 0)
        return r;
    r = nn_node_int(node, "exclude_outside", 0, &p->exclude_outside, error);
    if (r < 0)
        return r;
    r = nn_node_ints(node, "axes", p->axes, NN_RANK_MAX, &p->n_axes, error);
    if (r < 0)
        return r;
    return nn_node_int(node, "antialias", 0, &p->antialias, error);
}

/* How one dimension changes. */
typedef struct Axis {
    int64_t in, out;
    double scale;
    double start, end;      /* of the region of interest */
} Axis;

typedef struct Given {
    const NnTensor *roi, *scales, *sizes;   /* NULL when absent or empty */
    NnTensor attribute;
} Given;

static const NnTensor *not_empty(const NnTensor *tensor)
{
    return tensor && nn_tensor_elements(tensor) > 0 ? tensor : NULL;
}

static int find_inputs(const NnCall *call, Given *given)
{
    bool upsample = strcmp(call->node->op_type, "Upsample") == 0;
    *given = (Given){ 0 };
    if (upsample && call->node->opset < 9) {
        const NnAttribute *a = nn_node_attribute(call->node, "scales");
        if (!a || a->type != NN_ATTRIBUTE_FLOATS)
            return nn_error_set(call->error, -EBADMSG, "scales are missing");
        given->attribute = (NnTensor){ .dtype = NN_DTYPE_F32, .rank = 1,
                                       .dims = { (int64_t)a->n }, .data = a->floats };
        given->scales = &given->attribute;
        return 0;
    }
    bool old = upsample || call->node->opset < 11;
    size_t at = old ? 1 : 2;
    given->roi = old ? NULL : not_empty(nn_input(call, 1));
    given->scales = not_empty(nn_input(call, at));
    given->sizes = old ? NULL : not_empty(nn_input(call, 3));
    int r = nn_check_dtype(call, at, NN_BIT(NN_DTYPE_F32));
    if (r >= 0 && given->sizes)
        r = nn_check_dtype(call, 3, NN_TYPES_INDEX);
    if (r >= 0 && given->roi)
        r = nn_check_dtype(call, 1, NN_TYPES_FLOAT);
    if (r < 0)
        return r;
    if (!given->scales == !given->sizes)
        return nn_error_set(call->error, -EBADMSG, "it needs either scales or sizes");
    const NnTensor *values = given->scales ? given->scales : given->sizes;
    if (!values->data)
        return nn_error_set(call->error, -ENOTSUP, "%s must be constant",
                            given->scales ? "scales" : "sizes");
    return 0;
}

static int set_axis(const NnCall *call, const Given *given, size_t i, double factor, Axis *axis)
{
    const ResizeParams *p = call->params;
    double out;
    if (given->scales) {
        axis->scale = nn_load_float(given->scales, (int64_t)i);
        /* In float, as the exporters that chose the scale compute it. */
        out = floorf((float)axis->in * (float)axis->scale);
    } else {
        out = p->policy == POLICY_STRETCH ? (double)nn_load_int(given->sizes, (int64_t)i)
                                          : floor((double)axis->in * factor + 0.5);
        axis->scale = p->policy == POLICY_STRETCH ? out / (double)axis->in : factor;
    }
    if (!(axis->scale > 0) || !(out >= 0 && out <= (double)INT32_MAX))
        return nn_error_set(call->error, -EBADMSG, "a dimension of %lld does not scale by %g",
                            (long long)axis->in, axis->scale);
    axis->out = (int64_t)out;
    return 0;
}

/* The one factor of a policy that keeps the aspect ratio. */
static double common_factor(const NnCall *call, const Given *given, const Axis *axes,
                            const int *order, size_t n)
{
    const ResizeParams *p = call->params;
    double factor = 0;
    for (size_t i = 0; given->sizes && i < n; i++) {
        double own = (double)nn_load_int(given->sizes, (int64_t)i) / (double)axes[order[i]].in;
        bool take = p->policy == POLICY_NOT_LARGER ? own < factor : own > factor;
        factor = i == 0 || take ? own : factor;
    }
    return factor;
}

static int resize_axes(const NnCall *call, Axis *axes)
{
    const ResizeParams *p = call->params;
    const NnTensor *in = call->in[0];
    Given given;
    bool selected[NN_RANK_MAX];
    int order[NN_RANK_MAX];
    int r = find_inputs(call, &given);
    if (r < 0)
        return r;
    r = nn_resolve_axes(call, p->axes, p->n_axes, in->rank, selected);
    if (r < 0)
        return r;
    size_t n = p->n_axes ? p->n_axes : (size_t)in->rank;
    const NnTensor *values = given.scales ? given.scales : given.sizes;
    if (nn_tensor_elements(values) != (int64_t)n ||
        (given.roi && nn_tensor_elements(given.roi) != 2 * (int64_t)n))
        return nn_error_set(call->error, -EBADMSG, "%lld factors for %zu dimensions",
                            (long long)nn_tensor_elements(values), n);
    if (!given.roi && p->coordinates == COORDINATES_TF_CROP_AND_RESIZE)
        return nn_error_set(call->error, -EBADMSG, "the region of interest is missing");
    for (int i = 0; i < in->rank; i++) {
        axes[i] = (Axis){ .in = in->dims[i], .out = in->dims[i], .scale = 1, .end = 1 };
        if (in->dims[i] == 0)
            return nn_error_set(call->error, -EBADMSG, "dimension %d is empty", i);
    }
    for (size_t i = 0; i < n; i++) {
        int64_t axis = p->n_axes ? p->axes[i] : (int64_t)i;
        order[i] = (int)(axis < 0 ? axis + in->rank : axis);
    }
    double factor = common_factor(call, &given, axes, order, n);
    for (size_t i = 0; i < n; i++) {
        Axis *axis = &axes[order[i]];
        r = set_axis(call, &given, i, factor, axis);
        if (r < 0)
            return r;
        if (given.roi && given.roi->data) {
            axis->start = nn_load_float(given.roi, (int64_t)i);
            axis->end = nn_load_float(given.roi, (int64_t)(i + n));
        }
    }
    return 0;
}

static bool changes(const ResizeParams *p, const Axis *axis)
{
    return axis->in != axis->out || axis->scale != 1 ||
           (p->coordinates == COORDINATES_TF_CROP_AND_RESIZE &&
            (axis->start != 0 || axis->end != 1));
}

static int resize_infer(const NnCall *call)
{
    const ResizeParams *p = call->params;
    Axis axes[NN_RANK_MAX];
    int r = nn_check_inputs(call, 1);
    if (r < 0)
        return r;
    r = nn_check_dtype(call, 0, p->mode == INTERPOLATION_NEAREST ? NN_TYPES_ANY : NN_TYPES_FLOAT);
    if (r < 0)
        return r;
    r = resize_axes(call, axes);
    if (r < 0)
        return r;
    /* Between the passes a tensor may be larger than both ends. */
    NnTensor between = *call->in[0];
    for (int i = 0; i < between.rank; i++) {
        size_t bytes;
        between.dims[i] = axes[i].out;
        if (nn_tensor_bytes(&between, &bytes) < 0)
            return nn_error_set(call->error, -E2BIG, "the output would be too large");
    }
    return nn_set_output(call, 0, between.dtype, between.rank, between.dims);
}

/* The coordinate in the input that output `x` stands for. */
static double source_coordinate(Coordinates coordinates, const Axis *axis, int64_t x)
{
    double in = (double)axis->in, out = (double)axis->out, at = (double)x;
    switch (coordinates) {
    case COORDINATES_ALIGN_CORNERS:
        return axis->out > 1 ? at * (in - 1) / (out - 1) : 0;
    case COORDINATES_ASYMMETRIC:
        return at / axis->scale;
    case COORDINATES_TF_HALF_PIXEL_FOR_NN:
        return (at + 0.5) / axis->scale;
    case COORDINATES_TF_CROP_AND_RESIZE:
        if (axis->out == 1)
            return 0.5 * (axis->start + axis->end) * (in - 1);
        return axis->start * (in - 1) + at * (axis->end - axis->start) * (in - 1) / (out - 1);
    case COORDINATES_PYTORCH_HALF_PIXEL:
        return axis->out > 1 ? (at + 0.5) / axis->scale - 0.5 : 0;
    case COORDINATES_HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - out / (axis->scale * in)) + (at + 0.5) / axis->scale - 0.5;
    default:
        return (at + 0.5) / axis->scale - 0.5;
    }
}

/* Whether the coordinate asks for the extrapolation value; NaN does too. */
static bool outside(const ResizeParams *p, const Axis *axis, double x)
{
    return p->coordinates == COORDINATES_TF_CROP_AND_RESIZE &&
           !(x >= 0 && x <= (double)(axis->in - 1));
}

static int64_t clamp_index(double x, int64_t n)
{
    return x > 0 ? (x < (double)(n - 1) ? (int64_t)x : n - 1) : 0;
}

static int64_t nearest_index(const ResizeParams *p, const Axis *axis, int64_t i)
{
    double x = source_coordinate((Coordinates)p->coordinates, axis, i);
    if (outside(p, axis, x))
        return -1;
    switch (p->rounding) {
    case ROUNDING_PREFER_FLOOR:
        return clamp_index(ceil(x - 0.5), axis->in);
    case ROUNDING_PREFER_CEIL:
        return clamp_index(floor(x + 0.5), axis->in);
    case ROUNDING_FLOOR:
        return clamp_index(floor(x), axis->in);
    default:
        return clamp_index(ceil(x), axis->in);
    }
}

static int run_nearest(const NnCall *call, const Axis *axes)
{
    const ResizeParams *p = call->params;
    NnTensor *out = call->out[0];
    int64_t *table = call->scratch;
    union {
        float f32;
        double f64;
        uint64_t zero;
    } fill = { .zero = 0 };
    if (out->dtype == NN_DTYPE_F64)
        fill.f64 = (double)p->extrapolation;
    else if (out->dtype == NN_DTYPE_F32)
        fill.f32 = p->extrapolation;
    for (int i = 0; i < out->rank; i++)
        for (int64_t j = 0; j < out->dims[i]; j++)
            *table++ = changes(p, &axes[i]) ? nearest_index(p, &axes[i], j) : j;
    nn_copy_indexed(call->in[0], out, call->scratch, &fill, call->pool);
    return 0;
}

/* The inputs of the outputs along an axis: `n`, an even number, for each. Where the
 * first index is -1 the output is the extrapolation value. */
typedef struct Taps {
    int64_t n;
    int64_t *index;
    double *weight;
} Taps;

/* Keys' cubic convolution, of the distance to a neighbour. */
static double cubic(double a, double d)
{
    d = fabs(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* What distances are multiplied by: against aliases, the kernel is as wide as the
 * step from output to output. */
static double kernel_scale(const ResizeParams *p, const Axis *axis)
{
    return p->antialias && axis->scale < 1 ? axis->scale : 1;
}

static int64_t taps_per_output(const ResizeParams *p, const Axis *axis)
{
    int64_t reach = p->mode == INTERPOLATION_LINEAR ? 1 : 2;
    double wide = ceil((double)reach / kernel_scale(p, axis));
    /* No wider than the input, mirrored on both sides, however small the scale. */
    return 2 * (int64_t)NN_MIN(wide, 4 * (double)axis->in + 4);
}

static void set_taps(const ResizeParams *p, const Axis *axis, int64_t out, const Taps *taps)
{
    double x = source_coordinate((Coordinates)p->coordinates, axis, out), sum = 0;
    double scale = kernel_scale(p, axis), first = floor(x) - (double)(taps->n / 2 - 1);
    int64_t *index = taps->index + out * taps->n;
    double *weight = taps->weight + out * taps->n;
    if (outside(p, axis, x)) {
        index[0] = -1;
        return;
    }
    for (int64_t k = 0; k < taps->n; k++) {
        double at = first + (double)k, d = (x - at) * scale;
        index[k] = clamp_index(at, axis->in);
        weight[k] = p->mode == INTERPOLATION_LINEAR ? fmax(1 - fabs(d), 0)
                                                    : cubic((double)p->cubic_a, d);
        if (p->exclude_outside && (at < 0 || at > (double)(axis->in - 1)))
            weight[k] = 0;
        sum += weight[k];
    }
    if (sum != 0 && (p->exclude_outside || scale < 1))
        for (int64_t k = 0; k < taps->n; k++)
            weight[k] /= sum;
}

/* One axis: [outer, in, inner] to [outer, out, inner]. */
typedef struct Pass {
    const ResizeParams *params;
    NnDtype dtype;
    Taps taps;
    const void *from;
    void *to;
    int64_t in, out, inner;
} Pass;

static void pass_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Pass *pass = argument;
    int64_t inner = pass->inner, n = pass->taps.n;
    (void)worker;
    NN_SWITCH_FLOAT(pass->dtype, {
        for (int64_t row = begin; row < end; row++) {
            const int64_t *index = pass->taps.index + row % pass->out * n;
            const double *weight = pass->taps.weight + row % pass->out * n;
            const T *from = (const T *)pass->from + row / pass->out * pass->in * inner;
            T *to = (T *)pass->to + row * inner;
            if (index[0] < 0) {
                for (int64_t i = 0; i < inner; i++)
                    to[i] = (T)pass->params->extrapolation;
                continue;
            }
            for (int64_t k = 0; k < n; k += 2) {
                const T *a = from + index[k] * inner, *b = from + index[k + 1] * inner;
                const T v = (T)weight[k], w = (T)weight[k + 1];
                if (k == 0)
                    for (int64_t i = 0; i < inner; i++)
                        to[i] = a[i] * v + b[i] * w;
                else
                    for (int64_t i = 0; i < inner; i++)
                        to[i] += a[i] * v + b[i] * w;
            }
        }
    })
}

/* Elements of the largest tensor between two passes. */
static int64_t between_elements(const NnCall *call)
{
    const NnTensor *in = call->in[0], *out = call->out[0];
    int64_t most = 0;
    for (int i = 1; i < in->rank; i++)
        most = NN_MAX(most, nn_product(out->dims, 0, i) * nn_product(in->dims, i, in->rank));
    return most;
}

/* Scratch: indices and weights of one axis, then the two tensors between passes. */
static size_t taps_bytes(const NnCall *call, const Axis *axes)
{
    int64_t most = 0;
    for (int i = 0; i < call->in[0]->rank; i++)
        most = NN_MAX(most, axes[i].out * taps_per_output(call->params, &axes[i]));
    return nn_align_up((size_t)most * sizeof(int64_t), 64);
}

static size_t between_bytes(const NnCall *call)
{
    return nn_align_up((size_t)between_elements(call) * nn_dtype_size(call->in[0]->dtype), 64);
}

static size_t resize_scratch(const NnCall *call)
{
    const ResizeParams *p = call->params;
    Axis axes[NN_RANK_MAX];
    if (p->mode == INTERPOLATION_NEAREST)
        return (size_t)nn_copy_table_entries(call->out[0]) * sizeof(int64_t);
    if (resize_axes(call, axes) < 0)
        return 0;
    return 2 * taps_bytes(call, axes) + 2 * between_bytes(call);
}

static int run_passes(const NnCall *call, const Axis *axes)
{
    const ResizeParams *p = call->params;
    const NnTensor *in = call->in[0];
    NnTensor *out = call->out[0];
    size_t bytes = taps_bytes(call, axes);
    Taps taps = { .index = call->scratch, .weight = (double *)((char *)call->scratch + bytes) };
    char *between = (char *)call->scratch + 2 * bytes;
    int last = -1, which = 0;
    for (int i = 0; i < in->rank; i++)
        last = changes(p, &axes[i]) ? i : last;
    if (last < 0)
        nn_copy_whole(in, out, call->pool);
    const void *from = in->data;
    for (int i = 0; i <= last; i++) {
        if (!changes(p, &axes[i]))
            continue;
        taps.n = taps_per_output(p, &axes[i]);
        for (int64_t j = 0; j < axes[i].out; j++)
            set_taps(p, &axes[i], j, &taps);
        Pass pass = {
            .params = p,
            .dtype = in->dtype,
            .taps = taps,
            .from = from,
            .to = i == last ? out->data : between + (size_t)which * between_bytes(call),
            .in = axes[i].in,
            .out = axes[i].out,
            .inner = nn_product(in->dims, i + 1, in->rank),
        };
        nn_range_run(call->pool, nn_product(out->dims, 0, i + 1),
                     nn_grain(NN_MIN(2 * taps.n, INT32_MAX) * pass.inner), pass_rows, &pass);
        from = pass.to;
        which = !which;
    }
    return 0;
}

static int resize_run(const NnCall *call)
{
    const ResizeParams *p = call->params;
    Axis axes[NN_RANK_MAX];
    int r = resize_axes(call, axes);
    if (r < 0)
        return r;
    return p->mode == INTERPOLATION_NEAREST ? run_nearest(call, axes) : run_passes(call, axes);
}

#define RESIZE_OP(symbol, name, first, inputs)      \
    const NnOp nn_op_##symbol = {                   \
        .type = name,                               \
        .domain = "",                               \
        .since = first,                             \
        .min_inputs = 1,                            \
        .max_inputs = inputs,                       \
        .max_outputs = 1,                           \
        .params_bytes = sizeof(ResizeParams),       \
        .prepare = resize_prepare,                  \
        .infer = resize_infer,                      \
        .scratch = resize_scratch,                  \
        .run = resize_run,                          \
    };

RESIZE_OP(resize, "Resize", 10, 4)
RESIZE_OP(upsample, "Upsample", 7, 2)
