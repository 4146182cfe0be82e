/* SPDX-License-Identifier: Apache-2.0 */
#include "nnef/window.h"

#include "base/limits.h"

static bool read_list(const NnefCall *call, const char *name, int rank, int64_t *list)
{
    size_t n = nn_nnef_integers(call, name, list);

    if (n && n != (size_t)rank)
        nn_nnef_build_fail(call->build, -EBADMSG, "'%s' has %zu items, %d were expected", name, n,
                           rank);
    for (int i = 0; i < rank; i++) {
        if (n == 0)
            list[i] = 1;
        if (list[i] < 1 || list[i] > NNEF_EXTENT_MAX)
            nn_nnef_build_fail(call->build, -EBADMSG, "'%s' holds %lld", name, (long long)list[i]);
    }
    return call->build->status >= 0;
}

static bool read_padding(const NnefCall *call, NnefWindow *w, bool *ret_given)
{
    const NnefValue *padding = nn_nnef_argument(call, "padding");

    *ret_given = padding->n > 0;
    if (padding->n && padding->n != (size_t)w->rank)
        nn_nnef_build_fail(call->build, -EBADMSG, "'padding' has %zu items, %d were expected",
                           padding->n, w->rank);
    for (size_t i = 0; i < padding->n && call->build->status >= 0; i++) {
        w->before[i] = padding->items[i].items[0].i;
        w->after[i] = padding->items[i].items[1].i;
        if (w->before[i] < 0 || w->after[i] < 0 || w->before[i] > NNEF_EXTENT_MAX ||
            w->after[i] > NNEF_EXTENT_MAX)
            nn_nnef_build_fail(call->build, -EBADMSG, "a padding is (%lld, %lld)",
                               (long long)w->before[i], (long long)w->after[i]);
    }
    return call->build->status >= 0;
}

static bool read_window(const NnefCall *call, const int64_t *extents, const int64_t *size,
                        int rank, NnefWindow *w, bool *ret_given)
{
    *w = (NnefWindow){ .rank = rank };
    for (int i = 0; i < rank; i++) {
        w->size[i] = size[i];
        if (size[i] < 1 || size[i] > NNEF_EXTENT_MAX || extents[i] > NNEF_EXTENT_MAX)
            nn_nnef_build_fail(call->build, -EBADMSG, "a window of %lld over %lld elements",
                               (long long)size[i], (long long)extents[i]);
    }
    return call->build->status >= 0 && read_list(call, "stride", rank, w->stride) &&
           read_list(call, "dilation", rank, w->dilation) && read_padding(call, w, ret_given);
}

static int64_t dilated(const NnefWindow *w, int i)
{
    return (w->size[i] - 1) * w->dilation[i] + 1;
}

/* Automatic padding: as much as `in` lacks for `out` windows, the odd one behind. */
static void pad_automatically(NnefWindow *w, int i)
{
    int64_t total = NN_MAX(0, (w->out[i] - 1) * w->stride[i] + dilated(w, i) - w->in[i]);

    w->before[i] = total / 2;
    w->after[i] = total - total / 2;
}

bool nn_nnef_window(const NnefCall *call, const int64_t *in, const int64_t *size, int rank,
                    NnefWindow *ret)
{
    NnefWindow *w = ret;
    bool given;

    if (!read_window(call, in, size, rank, w, &given))
        return false;
    for (int i = 0; i < rank; i++) {
        w->in[i] = in[i];
        w->out[i] = nn_div_up(in[i], w->stride[i]);
        if (!given)
            pad_automatically(w, i);
        else if (in[i] + w->before[i] + w->after[i] < dilated(w, i))
            w->out[i] = 0;
        else
            w->out[i] = (in[i] + w->before[i] + w->after[i] - dilated(w, i)) / w->stride[i] + 1;
        w->padded = w->padded || w->before[i] || w->after[i];
        if (w->out[i] < 1) {
            nn_nnef_build_fail(call->build, -EBADMSG,
                               "a window of %lld does not fit into %lld elements",
                               (long long)dilated(w, i), (long long)in[i]);
            return false;
        }
    }
    return true;
}

/* The large side's extents, when output_shape states them. */
static bool read_output_shape(const NnefCall *call, int rank, int64_t *ret, bool *ret_given)
{
    const NnefValue *shape = nn_nnef_argument(call, "output_shape");

    *ret_given = shape->n > 0;
    if (shape->n && shape->n < (size_t)rank) {
        nn_nnef_build_fail(call->build, -EBADMSG, "'output_shape' has %zu items", shape->n);
        return false;
    }
    for (int i = 0; shape->n && i < rank; i++) {
        ret[i] = shape->items[shape->n - (size_t)rank + (size_t)i].i;
        if (ret[i] < 1 || ret[i] > NNEF_EXTENT_MAX) {
            nn_nnef_build_fail(call->build, -EBADMSG, "'output_shape' holds %lld",
                               (long long)ret[i]);
            return false;
        }
    }
    return true;
}

bool nn_nnef_window_transposed(const NnefCall *call, const int64_t *out, const int64_t *size,
                               int rank, NnefWindow *ret)
{
    NnefWindow *w = ret;
    bool given, stated;

    if (!read_window(call, out, size, rank, w, &given) ||
        !read_output_shape(call, rank, w->in, &stated))
        return false;
    for (int i = 0; i < rank; i++) {
        int64_t most, span;

        w->out[i] = out[i];
        if (__builtin_mul_overflow(out[i] - 1, w->stride[i], &most) || most > NNEF_EXTENT_MAX)
            most = NNEF_EXTENT_MAX + 1;
        span = most + dilated(w, i);
        if (!stated)
            w->in[i] = given ? span - w->before[i] - w->after[i] : out[i] * w->stride[i];
        if (!given)
            pad_automatically(w, i);
        /* With these the windows of the large side must be the small side. */
        if (most > NNEF_EXTENT_MAX || w->in[i] < 1 ||
            w->in[i] + w->before[i] + w->after[i] < span ||
            w->in[i] + w->before[i] + w->after[i] - span >= w->stride[i]) {
            nn_nnef_build_fail(call->build, -EBADMSG,
                               "an extent of %lld cannot come from %lld with these parameters",
                               (long long)w->in[i], (long long)out[i]);
            return false;
        }
        w->padded = w->padded || w->before[i] || w->after[i];
    }
    return true;
}

NnValueId nn_nnef_window_pad(NnefBuild *build, NnValueId id, const char *border,
                             NnefWindow *window)
{
    const NnTensor *tensor = nn_nnef_build_tensor(build, id);
    int64_t before[NN_RANK_MAX] = { 0 }, after[NN_RANK_MAX] = { 0 };
    int first, rank;

    if (!tensor)
        return NN_NO_VALUE;
    rank = tensor->rank;
    first = rank - window->rank;
    for (int i = 0; i < window->rank; i++) {
        before[first + i] = window->before[i];
        after[first + i] = window->after[i];
        window->in[i] += window->before[i] + window->after[i];
        window->before[i] = window->after[i] = 0;
    }
    window->padded = false;
    return nn_nnef_pad(build, id, border, 0.0, before, after, rank);
}

void nn_nnef_window_pads(const NnefWindow *window, int64_t pads[2 * NN_RANK_MAX])
{
    for (int i = 0; i < window->rank; i++) {
        pads[i] = window->before[i];
        pads[window->rank + i] = window->after[i];
    }
}
