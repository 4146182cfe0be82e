/* SPDX-License-Identifier: Apache-2.0 */

/* Convolutions and their transposes. */

#include "nnef/window.h"

/* What a convolution is made of. The bias may be NN_NO_VALUE. */
typedef struct Conv {
    NnValueId input, filter, bias;
    NnTensor x, w;      /* of input and filter; no data */
    int64_t groups;
} Conv;

static bool start(NnefCall *call, NnValueId input, NnValueId filter, int64_t groups, Conv *ret)
{
    const NnTensor *x = nn_nnef_build_tensor(call->build, input);
    const NnTensor *w = nn_nnef_build_tensor(call->build, filter);

    if (!x || !w)
        return false;
    *ret = (Conv){ .input = input, .filter = filter, .bias = NN_NO_VALUE, .x = *x, .w = *w };
    ret->groups = groups ? groups : x->dims[1];
    if (x->rank < 3 || w->rank != x->rank)
        nn_nnef_build_fail(call->build, -EBADMSG,
                           "the input has %d and the filter %d dimensions, as many and three or "
                           "more were expected",
                           x->rank, w->rank);
    else if (groups < 0 || ret->groups > NNEF_EXTENT_MAX)
        nn_nnef_build_fail(call->build, -EBADMSG, "'groups' is %lld", (long long)groups);
    return call->build->status >= 0;
}

/* A bias for each of the output's channels, none where it is 0. */
static void add_bias(NnefCall *call, Conv *conv, int64_t channels)
{
    double value;

    if (!nn_nnef_literal(call, "bias", &value)) {
        conv->bias = nn_nnef_flat(call->build, nn_nnef_tensor(call, "bias"), channels);
        return;
    }
    if (value != 0.0)
        conv->bias = nn_nnef_build_fill(call->build, &channels, 1, value);
}

static NnValueId conv_node(NnefBuild *build, const Conv *conv, const NnefWindow *w)
{
    size_t n = (size_t)w->rank;
    int64_t pads[2 * NN_RANK_MAX];

    nn_nnef_window_pads(w, pads);
    return nn_nnef_build(build, "Conv",
                         NNEF_ATTRIBUTES(NNEF_INTS("kernel_shape", w->size, n),
                                         NNEF_INTS("strides", w->stride, n),
                                         NNEF_INTS("dilations", w->dilation, n),
                                         NNEF_INTS("pads", pads, 2 * n),
                                         NNEF_INT("group", conv->groups)),
                         conv->input, conv->filter, conv->bias);
}

static NnValueId deconv_node(NnefBuild *build, const Conv *conv, const NnefWindow *w)
{
    size_t n = (size_t)w->rank;
    int64_t pads[2 * NN_RANK_MAX], excess[NN_RANK_MAX];

    nn_nnef_window_pads(w, pads);
    for (size_t i = 0; i < n; i++)
        excess[i] = w->in[i] + w->before[i] + w->after[i] - (w->out[i] - 1) * w->stride[i] -
                    (w->size[i] - 1) * w->dilation[i] - 1;
    return nn_nnef_build(build, "ConvTranspose",
                         NNEF_ATTRIBUTES(NNEF_INTS("kernel_shape", w->size, n),
                                         NNEF_INTS("strides", w->stride, n),
                                         NNEF_INTS("dilations", w->dilation, n),
                                         NNEF_INTS("pads", pads, 2 * n),
                                         NNEF_INTS("output_padding", excess, n),
                                         NNEF_INT("group", conv->groups)),
                         conv->input, conv->filter, conv->bias);
}

/* Border 'ignore' leaves elements out of a sum, as zeros do. */
static bool is_zero_border(const char *border)
{
    return strcmp(border, "constant") == 0 || strcmp(border, "ignore") == 0;
}

static NnValueId windowed_conv(NnefCall *call, Conv *conv)
{
    const char *border = nn_nnef_text(call, "border");
    int rank = conv->x.rank - 2;
    NnefWindow window;

    if (!nn_nnef_window(call, conv->x.dims + 2, conv->w.dims + 2, rank, &window))
        return NN_NO_VALUE;
    if (!is_zero_border(border))
        conv->input = nn_nnef_window_pad(call->build, conv->input, border, &window);
    return conv_node(call->build, conv, &window);
}

static NnValueId windowed_deconv(NnefCall *call, Conv *conv)
{
    const char *border = nn_nnef_text(call, "border");
    NnefWindow window;

    if (!nn_nnef_window_transposed(call, conv->x.dims + 2, conv->w.dims + 2, conv->x.rank - 2,
                                   &window))
        return NN_NO_VALUE;
    if (!is_zero_border(border)) {
        nn_nnef_build_fail(call->build, -ENOTSUP, "border '%s' is not supported here", border);
        return NN_NO_VALUE;
    }
    return deconv_node(call->build, conv, &window);
}

/* Windows of one element each. */
static NnefWindow point_window(const Conv *conv)
{
    NnefWindow w = { .rank = conv->x.rank - 2 };

    for (int i = 0; i < w.rank; i++) {
        w.size[i] = w.stride[i] = w.dilation[i] = 1;
        w.in[i] = w.out[i] = conv->x.dims[i + 2];
    }
    return w;
}

static bool check_point(NnefCall *call, const Conv *conv)
{
    for (int i = 2; i < conv->w.rank; i++)
        if (conv->w.dims[i] != 1)
            nn_nnef_build_fail(call->build, -EBADMSG,
                               "'point_filter' has an extent of %lld, 1 was expected",
                               (long long)conv->w.dims[i]);
    return call->build->status >= 0;
}

int nn_nnef_lower_conv(NnefCall *call)
{
    Conv conv;

    if (!start(call, nn_nnef_tensor(call, "input"), nn_nnef_tensor(call, "filter"),
               nn_nnef_integer(call, "groups"), &conv))
        return 0;
    add_bias(call, &conv, conv.w.dims[0]);
    nn_nnef_result(call, 0, windowed_conv(call, &conv));
    return 0;
}

/* The channels that groups = 0 means are those of the result. */
static int64_t deconv_groups(NnefCall *call)
{
    const NnefValue *shape = nn_nnef_argument(call, "output_shape");
    int64_t groups = nn_nnef_integer(call, "groups");

    return groups == 0 && shape->n > 1 ? shape->items[1].i : groups;
}

int nn_nnef_lower_deconv(NnefCall *call)
{
    Conv conv;

    if (!start(call, nn_nnef_tensor(call, "input"), nn_nnef_tensor(call, "filter"),
               deconv_groups(call), &conv))
        return 0;
    add_bias(call, &conv, conv.w.dims[1] * conv.groups);
    nn_nnef_result(call, 0, windowed_deconv(call, &conv));
    return 0;
}

int nn_nnef_lower_separable_conv(NnefCall *call)
{
    NnefWindow window;
    NnValueId y;
    Conv conv;

    if (!start(call, nn_nnef_tensor(call, "input"), nn_nnef_tensor(call, "plane_filter"), 0, &conv))
        return 0;
    y = windowed_conv(call, &conv);
    if (!start(call, y, nn_nnef_tensor(call, "point_filter"), nn_nnef_integer(call, "groups"),
               &conv) ||
        !check_point(call, &conv))
        return 0;
    add_bias(call, &conv, conv.w.dims[0]);
    window = point_window(&conv);
    nn_nnef_result(call, 0, conv_node(call->build, &conv, &window));
    return 0;
}

int nn_nnef_lower_separable_deconv(NnefCall *call)
{
    NnefWindow window;
    NnValueId y;
    Conv conv;

    if (!start(call, nn_nnef_tensor(call, "input"), nn_nnef_tensor(call, "point_filter"),
               nn_nnef_integer(call, "groups"), &conv) ||
        !check_point(call, &conv))
        return 0;
    window = point_window(&conv);
    y = deconv_node(call->build, &conv, &window);
    if (!start(call, y, nn_nnef_tensor(call, "plane_filter"), 0, &conv))
        return 0;
    add_bias(call, &conv, conv.w.dims[1] * conv.groups);
    nn_nnef_result(call, 0, windowed_deconv(call, &conv));
    return 0;
}
