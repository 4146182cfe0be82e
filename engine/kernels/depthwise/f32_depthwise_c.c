/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"
#include "kernels/kernels.h"

/* Output columns whose input column for one tap lies inside. */
static void inside(int64_t x, int64_t stride, int64_t w, int64_t n, int64_t *low, int64_t *high)
{
    *low = x < 0 ? NN_MIN((-x + stride - 1) / stride, n) : 0;
    *high = x < w ? NN_MIN((w - 1 - x) / stride + 1, n) : 0;
}

static void add_tap(float *restrict y, const float *restrict x, float weight, int64_t stride,
                    int64_t n)
{
    if (stride == 1)
        for (int64_t i = 0; i < n; i++)
            y[i] += weight * x[i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i] += weight * x[i * stride];
}

/* One output row at a time stays in the cache while all taps add to it. */
void nn_f32_depthwise__c(const NnIm2col *view, const float *weight, float bias, float *y)
{
    const NnIm2col v = *view;

    for (int64_t oy = 0; oy < v.out_h; oy++, y += v.out_w) {
        for (int64_t i = 0; i < v.out_w; i++)
            y[i] = bias;
        for (int64_t ky = 0; ky < v.kernel_h; ky++) {
            int64_t iy = oy * v.stride_h - v.pad_top + ky * v.dilation_h;

            if (iy < 0 || iy >= v.in_h)
                continue;
            for (int64_t kx = 0; kx < v.kernel_w; kx++) {
                int64_t ix = kx * v.dilation_w - v.pad_left, low, high;

                inside(ix, v.stride_w, v.in_w, v.out_w, &low, &high);
                if (low < high)
                    add_tap(y + low, v.x + iy * v.in_w + ix + low * v.stride_w,
                            weight[ky * v.kernel_w + kx], v.stride_w, high - low);
            }
        }
    }
}
