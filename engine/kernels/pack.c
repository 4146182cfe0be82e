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

/* Columns of a panel that lie in one output row: first input coordinates. */
typedef struct Segment {
    int64_t y, x;
    int column, n;
} Segment;

/* Panels are short: a call of memcpy would cost more than the copy. */
static inline void copy_floats(float *restrict to, const float *restrict from, int64_t n)
{
    int64_t i = 0;

    for (; i + 4 <= n; i += 4)
        memcpy(to + i, from + i, 4 * sizeof(float));
    for (; i < n; i++)
        to[i] = from[i];
}

static inline void clear_floats(float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = 0.0f;
}

static inline void gather(float *restrict to, const float *restrict row, int64_t x, int64_t stride,
                          int64_t n)
{
    if (stride == 1) {
        copy_floats(to, row + x, n);
        return;
    }
    row += x;
    for (int64_t i = 0; i < n; i++)
        to[i] = row[i * stride];
}

/* n columns from input column x of a row of width w, zeros outside. */
static inline void gather_padded(float *to, const float *row, int64_t w, int64_t x, int64_t stride,
                                 int64_t n)
{
    int64_t low = 0, high = 0;

    if (x >= 0 && x + (n - 1) * stride < w) {
        gather(to, row, x, stride, n);
        return;
    }
    if (x < 0)
        low = NN_MIN((-x + stride - 1) / stride, n);
    if (x < w)
        high = NN_MIN((w - 1 - x) / stride + 1, n);
    high = NN_MAX(high, low);
    clear_floats(to, low);
    gather(to + low, row, x + low * stride, stride, high - low);
    clear_floats(to + high, n - high);
}

static int find_segments(const NnIm2col *v, int64_t p, int n, Segment *segments)
{
    int64_t oy = p / v->out_w, ox = p % v->out_w;
    int count = 0;

    for (int column = 0; column < n; oy++, ox = 0, count++) {
        Segment *s = &segments[count];

        s->y = oy * v->stride_h - v->pad_top;
        s->x = ox * v->stride_w - v->pad_left;
        s->column = column;
        s->n = (int)NN_MIN(n - column, v->out_w - ox);
        column += s->n;
    }
    return count;
}

static void pack_panel(const NnIm2col *v, int64_t k_begin, int64_t k, int64_t p, int n, int panel,
                       float *out)
{
    Segment segments[NN_PACK_PANEL_MAX];
    int n_segments = find_segments(v, p, n, segments);
    int64_t kernel = v->kernel_h * v->kernel_w;
    int64_t kx = k_begin % v->kernel_w, ky = k_begin % kernel / v->kernel_w;
    const float *plane = v->x + k_begin / kernel * v->in_h * v->in_w;

    for (int64_t kk = 0; kk < k; kk++, out += panel) {
        for (int i = 0; i < n_segments; i++) {
            const Segment *s = &segments[i];
            int64_t y = s->y + ky * v->dilation_h;

            if (y < 0 || y >= v->in_h)
                clear_floats(out + s->column, s->n);
            else
                gather_padded(out + s->column, plane + y * v->in_w, v->in_w,
                              s->x + kx * v->dilation_w, v->stride_w, s->n);
        }
        clear_floats(out + n, panel - n);
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
                    int64_t columns, int panel, float *out)
{
    for (int64_t p = 0; p < columns; p += panel, out += k * panel)
        pack_panel(view, k_begin, k, p_begin + p, (int)NN_MIN(columns - p, panel), panel, out);
}
