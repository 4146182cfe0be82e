/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/matmul.h"

#include "base/util.h"

#ifdef HAVE_OPENBLAS
#include <cblas.h>
#include <pthread.h>
#endif

/* The blocks are those of the shape, never of the number of threads: where one
 * ends decides how a library sums, and results must not depend on the pool. */
#define M_BLOCK 128
#define N_BLOCK 192
#define K_BLOCK 256
/* The largest tile of any kernel. */
#define MR_MAX 16
#define NR_MAX 64
#define NN_F32_GEMM(isa, mr, nr, symbol) _Static_assert((mr) <= MR_MAX && (nr) <= NR_MAX, #symbol);
#include "kernels/gemm/gemm.inc"
#undef NN_F32_GEMM

#define B_BLOCK_FLOATS (K_BLOCK * (N_BLOCK + NR_MAX))
#define WORKER_BYTES ((B_BLOCK_FLOATS + K_BLOCK * MR_MAX) * sizeof(float))

typedef struct MatmulRun {
    const NnMatmul *mm;
    const NnKernels *kernels;
    char *scratch;
    int64_t m_blocks, n_blocks;
} MatmulRun;

/* One block of one matrix of the batch: m×n, all of K. */
typedef struct Block {
    int64_t m, n;
    const float *a, *b, *d;
    float *c;
} Block;

static Block locate_block(const MatmulRun *run, int64_t index)
{
    const NnMatmul *mm = run->mm;
    int64_t j = index % run->n_blocks * N_BLOCK,
            i = index / run->n_blocks % run->m_blocks * M_BLOCK;
    int64_t matrix = index / run->n_blocks / run->m_blocks, rest = matrix, a = 0, b = 0;

    for (int axis = mm->batch_rank - 1; axis >= 0; axis--) {
        int64_t at = rest % mm->batch[axis];

        rest /= mm->batch[axis];
        a += at * mm->a_batch[axis];
        b += at * mm->b_batch[axis];
    }
    return (Block){
        .m = NN_MIN(mm->m - i, M_BLOCK),
        .n = NN_MIN(mm->n - j, N_BLOCK),
        .a = mm->a + a + i * mm->a_row,
        .b = mm->b + b + j * mm->b_column,
        .d = mm->d ? mm->d + i * mm->d_row + j * mm->d_column : NULL,
        .c = mm->c + matrix * mm->m * mm->n + i * mm->n + j,
    };
}

static void start_block(const NnMatmul *mm, const Block *block)
{
    for (int64_t i = 0; i < block->m; i++)
        for (int64_t j = 0; j < block->n; j++)
            block->c[i * mm->n + j] =
                block->d ? mm->beta * block->d[i * mm->d_row + j * mm->d_column] : 0.0f;
}

/* A panel of A at a time: it serves all panels of the packed block of B. */
static void multiply_panel(const MatmulRun *run, const Block *block, int64_t i, int64_t k,
                           int64_t k_count, const float *b, float *a)
{
    const NnMatmul *mm = run->mm;
    const NnF32Gemm *gemm = &run->kernels->f32_gemm;
    NnGemmTile tile = {
        .a = a,
        .k = k_count,
        .ldc = mm->n,
        .rows = (int)NN_MIN(block->m - i, gemm->mr),
        .accumulate = true,
    };

    nn_pack_rows(block->a + i * mm->a_row + k * mm->a_column, mm->a_row, mm->a_column, tile.rows,
                 k_count, mm->alpha, gemm->mr, a);
    for (int64_t j = 0; j < block->n; j += gemm->nr) {
        tile.b = b + j * k_count;
        tile.c = block->c + i * mm->n + j;
        tile.columns = (int)NN_MIN(block->n - j, gemm->nr);
        gemm->func(&tile);
    }
}

static void packed_tile(void *argument, size_t index, unsigned worker)
{
    const MatmulRun *run = argument;
    const NnMatmul *mm = run->mm;
    const NnF32Gemm *gemm = &run->kernels->f32_gemm;
    Block block = locate_block(run, (int64_t)index);
    float *b = (float *)(run->scratch + worker * WORKER_BYTES), *a = b + B_BLOCK_FLOATS;

    start_block(mm, &block);
    for (int64_t k = 0; k < mm->k; k += K_BLOCK) {
        int64_t k_count = NN_MIN(mm->k - k, K_BLOCK);

        nn_pack_rows(block.b + k * mm->b_row, mm->b_column, mm->b_row, block.n, k_count, 1.0f,
                     gemm->nr, b);
        for (int64_t i = 0; i < block.m; i += gemm->mr)
            multiply_panel(run, &block, i, k, k_count, b, a);
    }
}

#ifdef HAVE_OPENBLAS

static pthread_once_t blas_once = PTHREAD_ONCE_INIT;

static void set_up_blas(void)
{
    openblas_set_num_threads(1);
}

/* BLAS wants one of two strides to be 1 and the other at least the row's length. */
static bool blas_takes(int64_t row, int64_t column, int64_t rows, int64_t columns)
{
    return (column == 1 && row >= NN_MAX(columns, 1)) || (row == 1 && column >= NN_MAX(rows, 1));
}

static bool use_blas(const NnMatmul *mm, const NnKernels *kernels)
{
    return kernels->blas && mm->k <= INT32_MAX && mm->n <= INT32_MAX && mm->m <= INT32_MAX &&
           blas_takes(mm->a_row, mm->a_column, mm->m, mm->k) &&
           blas_takes(mm->b_row, mm->b_column, mm->k, mm->n);
}

static void blas_tile(void *argument, size_t index, unsigned worker)
{
    const MatmulRun *run = argument;
    const NnMatmul *mm = run->mm;
    Block block = locate_block(run, (int64_t)index);
    bool a_plain = mm->a_column == 1 && mm->a_row >= mm->k;
    bool b_plain = mm->b_column == 1 && mm->b_row >= mm->n;

    (void)worker;
    start_block(mm, &block);
    cblas_sgemm(CblasRowMajor, a_plain ? CblasNoTrans : CblasTrans,
                b_plain ? CblasNoTrans : CblasTrans, (int)block.m, (int)block.n, (int)mm->k,
                mm->alpha, block.a, (int)(a_plain ? mm->a_row : mm->a_column), block.b,
                (int)(b_plain ? mm->b_row : mm->b_column), 1.0f, block.c, (int)mm->n);
}

static NnTileFunc choose_tile(const NnMatmul *mm, const NnKernels *kernels)
{
    if (!use_blas(mm, kernels))
        return packed_tile;
    pthread_once(&blas_once, set_up_blas);
    return blas_tile;
}

#else

static NnTileFunc choose_tile(const NnMatmul *mm, const NnKernels *kernels)
{
    (void)mm;
    (void)kernels;
    return packed_tile;
}

#endif

size_t nn_matmul_scratch(const NnPool *pool)
{
    return WORKER_BYTES * nn_pool_threads(pool);
}

void nn_matmul_run(const NnMatmul *matmul, const NnKernels *kernels, NnPool *pool, void *scratch)
{
    MatmulRun run = {
        .mm = matmul,
        .kernels = kernels,
        .scratch = scratch,
        .m_blocks = nn_div_up(matmul->m, M_BLOCK),
        .n_blocks = nn_div_up(matmul->n, N_BLOCK),
    };
    size_t tiles = (size_t)(run.m_blocks * run.n_blocks);

    for (int axis = 0; axis < matmul->batch_rank; axis++)
        tiles *= (size_t)matmul->batch[axis];
    nn_pool_run(pool, tiles, choose_tile(matmul, kernels), &run);
}
