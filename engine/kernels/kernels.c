/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#include "base/util.h"

#define NN_F32_GEMM(isa_, mr_, nr_, symbol) \
    { .isa = isa_, .name = #symbol, .mr = mr_, .nr = nr_, .func = symbol },
static const NnF32Gemm f32_gemms[] = {
#include "kernels/gemm/gemm.inc"
};
#undef NN_F32_GEMM

#define NN_F32_ACTIVATION(isa_, symbol) { .isa = isa_, .name = #symbol, .func = symbol },
static const NnF32Activation f32_activations[] = {
#include "kernels/activation/activation.inc"
};
#undef NN_F32_ACTIVATION

#define NN_F32_DEPTHWISE(isa_, symbol) { .isa = isa_, .name = #symbol, .func = symbol },
static const NnF32Depthwise f32_depthwises[] = {
#include "kernels/depthwise/depthwise.inc"
};
#undef NN_F32_DEPTHWISE

#define NN_F32_FMA(isa_, sums_, symbol) \
    { .isa = isa_, .name = #symbol, .sums = sums_, .func = symbol },
static const NnF32Fma f32_fmas[] = {
#include "kernels/fma/fma.inc"
};
#undef NN_F32_FMA

#define NN_F32_WINOGRAD(isa_, suffix, rows_, columns_, chunk_, lanes_)                     \
    { .isa = isa_, .name = "nn_f32_winograd__" #suffix, .rows = rows_, .columns = columns_, \
      .chunk = chunk_, .lanes = lanes_, .input = nn_f32_winograd_input__##suffix,                            \
      .multiply = nn_f32_winograd_multiply__##suffix,                                       \
      .output = nn_f32_winograd_output__##suffix },
static const NnF32Winograd f32_winograds[] = {
#include "kernels/winograd/winograd.inc"
};
#undef NN_F32_WINOGRAD

#define NN_F32_CONV(isa_, mr_, nr_, lanes_, ordered_, symbol) \
    { .isa = isa_, .name = #symbol, .mr = mr_, .nr = nr_, .lanes = lanes_, \
      .ordered = ordered_, .func = symbol },
static const NnF32Conv f32_convs[] = {
#include "kernels/conv/conv.inc"
};
#undef NN_F32_CONV

#define NN_F32_POOL(isa_, symbol) { .isa = isa_, .name = #symbol, .func = symbol },
static const NnF32Pool f32_pools[] = {
#include "kernels/pool/pool.inc"
};
#undef NN_F32_POOL

#define NN_F32_CHANNELS(isa_, symbol) { .isa = isa_, .name = #symbol, .func = symbol },
static const NnF32Channels f32_channels[] = {
#include "kernels/channels/channels.inc"
};
#undef NN_F32_CHANNELS

void nn_kernels_select(NnIsa isa, NnKernels *ret_kernels)
{
    NnKernels kernels = { .blas = isa > NN_ISA_C };

    for (size_t i = 0; i < NN_ARRAY_SIZE(f32_gemms); i++)
        if (f32_gemms[i].isa <= isa)
            kernels.f32_gemm = f32_gemms[i];
    for (size_t i = 0; i < NN_ARRAY_SIZE(f32_activations); i++)
        if (f32_activations[i].isa <= isa)
            kernels.f32_activation = f32_activations[i].func;
    for (size_t i = 0; i < NN_ARRAY_SIZE(f32_depthwises); i++)
        if (f32_depthwises[i].isa <= isa)
            kernels.f32_depthwise = f32_depthwises[i].func;
    for (size_t i = 0; i < NN_ARRAY_SIZE(f32_fmas); i++)
        if (f32_fmas[i].isa <= isa)
            kernels.f32_fma = f32_fmas[i];
    for (size_t i = 0; i < NN_ARRAY_SIZE(f32_winograds); i++)
        if (f32_winograds[i].isa <= isa)
            kernels.f32_winograd = f32_winograds[i];
    for (size_t i = 0; i < NN_ARRAY_SIZE(f32_convs); i++)
        if (f32_convs[i].isa <= isa)
            kernels.f32_conv = f32_convs[i];
    for (size_t i = 0; i < NN_ARRAY_SIZE(f32_pools); i++)
        if (f32_pools[i].isa <= isa)
            kernels.f32_pool = f32_pools[i].func;
    for (size_t i = 0; i < NN_ARRAY_SIZE(f32_channels); i++)
        if (f32_channels[i].isa <= isa)
            kernels.f32_channels = f32_channels[i].func;
    *ret_kernels = kernels;
}
