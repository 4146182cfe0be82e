/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/pack.h"

#include "base/util.h"

void nn_pack_rows(const float *a, int64_t row_stride, int64_t k_stride, int64_t rows, int64_t k,
                  float scale, int panel, float *out)
{
    for (int64_t row = 0; row < rows; row += panel) {
        int64_t n = NN_MIN(rows - row, panel);
        const float *from = a + row * row_stride;

        for (int64_t kk = 0; kk < k; kk++, out += panel, from += k_stride) {
            for (int64_t i = 0; i < n; i++)
                out[i] = scale * from[i * row_stride];
            for (int64_t i = n; i < panel; i++)
                out[i] = 0.0f;
        }
    }
}

/* Where the next value of a row of B goes. */
typedef struct Cursor {
    float *to;                  /* row of the panel */
    int column;                 /* within it */
    int64_t panel_stride;
} Cursor;

#define INLINE static inline __attribute__((always_inline))

/* At most a panel. The widths are known where it counts: the loop unrolls. */
INLINE void copy_some(float *restrict to, const float *restrict from, int64_t stride, int n)
{
    if (stride == 1)
        for (int i = 0; i < n; i++)
            to[i] = from[i];
    else if (stride == 2)
        for (int i = 0; i < n; i++)
            to[i] = from[2 * i];
    else
        for (int i = 0; i < n; i++)
            to[i] = from[stride * i];
}

INLINE void put_zeros(Cursor *c, int64_t n, int panel)
{
    for (; n > 0; n--) {
        c->to[c->column] = 0.0f;
        if (++c->column == panel) {
            c->column = 0;
            c->to += c->panel_stride;
        }
    }
}

INLINE void put_part(Cursor *c, const float *from, int64_t stride, int n, int panel)
{
    copy_some(c->to + c->column, from, stride, n);
    c->column += n;
    if (c->column == panel) {
        c->column = 0;
        c->to += c->panel_stride;
    }
}

INLINE void put(Cursor *c, const float *from, int64_t stride, int64_t n, int panel)
{
    int head = (int)NN_MIN(n, (panel - c->column) % panel);

    if (head > 0)
        put_part(c, from, stride, head, panel);
    from += head * stride;
    n -= head;
    for (; n >= panel; n -= panel, from += panel * stride) {
        copy_some(c->to, from, stride, panel);
        c->to += c->panel_stride;
    }
    if (n > 0)
        put_part(c, from, stride, (int)n, panel);
}

/* n columns from input column x of a row of width w, zeros outside. */
INLINE void put_padded(Cursor *c, const float *row, int64_t w, int64_t x, int64_t stride, int64_t n,
                       int panel)
{
    int64_t low = 0, high = n;

    if (x < 0)
        low = NN_MIN((-x + stride - 1) / stride, n);
    if (x + (n - 1) * stride >= w)
        high = NN_MAX(x < w ? (w - 1 - x) / stride + 1 : 0, low);
    put_zeros(c, low, panel);
    if (low < high)
        put(c, row + x + low * stride, stride, high - low, panel);
    put_zeros(c, n - high, panel);
}

/* Row by row of B, all its panels: input rows are read along, and the panels are
 * as many streams to write. */
INLINE void pack_im2col(const NnIm2col *v, int64_t k_begin, int64_t k, int64_t p_begin,
                        int64_t columns, int panel, int64_t panel_stride, float *out)
{
    int64_t kernel = v->kernel_h * v->kernel_w;
    int64_t kx = k_begin % v->kernel_w, ky = k_begin % kernel / v->kernel_w;
    int64_t oy_begin = p_begin / v->out_w, ox_begin = p_begin % v->out_w;
    const float *plane = v->x + k_begin / kernel * v->in_h * v->in_w;

    for (int64_t kk = 0; kk < k; kk++) {
        Cursor cursor = { .to = out + kk * panel, .panel_stride = panel_stride };
        int64_t y = oy_begin * v->stride_h - v->pad_top + ky * v->dilation_h, ox = ox_begin;

        for (int64_t left = columns; left > 0; y += v->stride_h, ox = 0) {
            int64_t n = NN_MIN(left, v->out_w - ox);

            if (y < 0 || y >= v->in_h)
                put_zeros(&cursor, n, panel);
            else
                put_padded(&cursor, plane + y * v->in_w, v->in_w,
                           ox * v->stride_w - v->pad_left + kx * v->dilation_w, v->stride_w, n,
                           panel);
            left -= n;
        }
        if (cursor.column > 0)
            put_zeros(&cursor, panel - cursor.column, panel);
        if (++kx < v->kernel_w)
            continue;
        kx = 0;
        if (++ky < v->kernel_h)
            continue;
        ky = 0;
        plane += v->in_h * v->in_w;
    }
}

void nn_pack_im2col(const NnIm2col *view, int64_t k_begin, int64_t k, int64_t p_begin,
                    int64_t columns, int panel, int64_t panel_stride, float *out)
{
#define CASE(n)                                                                     \
    case n:                                                                         \
        pack_im2col(view, k_begin, k, p_begin, columns, n, panel_stride, out);      \
        break
    switch (panel) {
        CASE(12);
        CASE(16);
        CASE(48);
    default:
        pack_im2col(view, k_begin, k, p_begin, columns, panel, panel_stride, out);
        break;
    }
#undef CASE
}
