/* SPDX-License-Identifier: Apache-2.0 */

/* MatMulInteger and QLinearMatMul. The columns of the right matrices are widened
 * to lines of 16 bits less their zero points, once where they are constant; rows
 * of the left ones, four at a time, while running. */

#include "ops/matmul_shape.h"
#include "ops/quantised.h"

/* Columns of a tile: their lines stay in the second-level cache while all rows
 * pass by. */
#define COLUMNS 64

typedef struct MatmulParams {
    bool quantised;
} MatmulParams;

typedef struct Matmul {
    const NnCall *call;
    bool quantised;
    NnMatmulShape s;
    int64_t right_matrices, stride;
    int64_t row_groups, column_blocks;
    size_t line_bytes, worker_bytes;    /* scratch: rows of the left, and sums behind them */
    const int16_t *columns;             /* lines, all columns of one matrix after the other */
} Matmul;

static int matmul_prepare(const NnNode *node, void *params, NnError *error)
{
    MatmulParams *p = params;
    (void)error;
    p->quantised = strcmp(node->op_type, "QLinearMatMul") == 0;
    return 0;
}

static int matmul_shape(const NnCall *call, Matmul *ret)
{
    const MatmulParams *p = call->params;
    size_t right = nn_operand_index(p->quantised, NN_RIGHT);
    Matmul m = { .call = call, .quantised = p->quantised };
    int r = nn_matmul_shape(call, 0, right, &m.s);
    if (r < 0)
        return r;
    const NnTensor *b = call->in[right];
    m.right_matrices = nn_product(b->dims, 0, NN_MAX(b->rank - 2, 0));
    m.stride = nn_line_stride(m.s.k);
    m.row_groups = nn_div_up(m.s.m, NN_LINES_MAX);
    m.column_blocks = nn_div_up(m.s.n, COLUMNS);
    m.line_bytes = (size_t)(NN_LINES_MAX * m.stride) * sizeof(int16_t);
    m.worker_bytes = nn_align_up(m.line_bytes, 64) + NN_LINES_MAX * COLUMNS * sizeof(int32_t);
    if (m.right_matrices * m.s.n > NN_LINES_TOTAL / NN_MAX(m.stride, 1))
        return nn_error_set(call->error, -E2BIG, "the right matrices are too large");
    *ret = m;
    return 0;
}

/* Scales or zero points: one number, a vector of as many as the matrices have rows
 * (or columns), or the dims of the tensor with 1 in the other place. */
static int check_side(const NnCall *call, size_t input, const NnTensor *tensor, int other,
                      int64_t n)
{
    const NnTensor *t = nn_input(call, input);
    bool fits = t && t->rank == tensor->rank && t->rank >= 2;
    for (int i = 0; fits && i < t->rank; i++)
        fits = t->dims[i] == (i == t->rank - other ? 1 : tensor->dims[i]);
    return fits ? 0 : nn_check_one_or_vector(call, input, n);
}

static int check_sides(const NnCall *call, const Matmul *m)
{
    static const NnOperand left[] = { NN_LEFT_SCALE, NN_LEFT_ZERO };
    static const NnOperand right[] = { NN_RIGHT_SCALE, NN_RIGHT_ZERO };
    int r = 0;
    for (size_t i = 0; r >= 0 && i < 2; i++)
        r = check_side(call, nn_operand_index(m->quantised, left[i]), call->in[0], 1, m->s.m);
    for (size_t i = 0; r >= 0 && i < 2; i++)
        r = check_side(call, nn_operand_index(m->quantised, right[i]),
                       nn_operand(call, m->quantised, NN_RIGHT), 2, m->s.n);
    return r;
}

static int matmul_infer(const NnCall *call)
{
    const MatmulParams *p = call->params;
    Matmul m;
    int r = nn_check_operands(call, p->quantised);
    if (r >= 0)
        r = matmul_shape(call, &m);
    if (r >= 0)
        r = check_sides(call, &m);
    if (r < 0)
        return r;
    const NnTensor *zero = nn_operand(call, p->quantised, NN_RESULT_ZERO);
    return nn_set_output(call, 0, zero ? zero->dtype : NN_DTYPE_I32, m.s.rank, m.s.dims);
}

/* Which of a tensor's scales or zero points stands for line `line` of a matrix. */
static int64_t side_index(const NnTensor *t, int64_t matrix, int64_t line, int64_t n)
{
    return t->rank > 1 ? matrix * n + line : line;
}

static int32_t side_zero(const NnTensor *t, int64_t matrix, int64_t line, int64_t n)
{
    return t ? nn_zero_point(t, side_index(t, matrix, line, n)) : 0;
}

static float side_scale(const NnTensor *t, int64_t matrix, int64_t line, int64_t n)
{
    return nn_scale(t, side_index(t, matrix, line, n));
}

typedef struct Pack {
    const Matmul *m;
    int16_t *lines;
} Pack;

static void pack_columns(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Pack *pack = argument;
    const Matmul *m = pack->m;
    const NnTensor *b = nn_operand(m->call, m->quantised, NN_RIGHT);
    const NnTensor *zero = nn_operand(m->call, m->quantised, NN_RIGHT_ZERO);
    int64_t n = m->s.n, k = m->s.k;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        int64_t matrix = i / n, column = i % n;
        int16_t *line = pack->lines + i * m->stride;
        nn_widen(b->dtype, (const char *)b->data + matrix * k * n + column, n,
                 side_zero(zero, matrix, column, n), k, line, 1);
        memset(line + k, 0, (size_t)(m->stride - k) * sizeof(*line));
    }
}

static void pack_right(const Matmul *m, int16_t *lines)
{
    Pack pack = { .m = m, .lines = lines };
    nn_range_run(m->call->pool, m->right_matrices * m->s.n, nn_grain(m->s.k), pack_columns, &pack);
}

static size_t packed_bytes(const Matmul *m)
{
    return nn_align_up((size_t)(m->right_matrices * m->s.n * m->stride) * sizeof(int16_t), 64);
}

static int matmul_create(const NnCall *call, void **ret_state, size_t *ret_bytes)
{
    const MatmulParams *p = call->params;
    const NnTensor *zero = nn_operand(call, p->quantised, NN_RIGHT_ZERO);
    Matmul m;
    int r = matmul_shape(call, &m);
    if (r < 0)
        return r;
    *ret_state = NULL;
    if (!nn_operand(call, p->quantised, NN_RIGHT)->data || (zero && !zero->data))
        return 0;
    int16_t *lines = nn_aligned_alloc(packed_bytes(&m));
    if (!lines)
        return -ENOMEM;
    pack_right(&m, lines);
    *ret_state = lines;
    *ret_bytes = packed_bytes(&m);
    return 0;
}

/* Any numbers do: sums wrap. */
static int matmul_check_state(const NnCall *call, const void *state, size_t bytes)
{
    Matmul m;
    int r = matmul_shape(call, &m);
    (void)state;
    if (r < 0)
        return r;
    if (bytes != packed_bytes(&m))
        return nn_error_set(call->error, -EBADMSG, "its weights were packed for another shape");
    return 0;
}

static size_t matmul_scratch(const NnCall *call)
{
    Matmul m;
    if (matmul_shape(call, &m) < 0)
        return 0;
    return m.worker_bytes * nn_range_workers(call->pool) + (call->state ? 0 : packed_bytes(&m));
}

/* The matrix of one side that a matrix of the output is made of. */
static int64_t own_matrix(const Matmul *m, const int64_t *strides, int64_t matrix, int64_t elements)
{
    int64_t offset = 0;
    for (int axis = m->s.batch_rank - 1; axis >= 0; axis--) {
        offset += matrix % m->s.batch[axis] * strides[axis];
        matrix /= m->s.batch[axis];
    }
    return elements ? offset / elements : 0;
}

/* One row of a tile into the output. */
static void store(const Matmul *m, int64_t left, int64_t right, int64_t row, int64_t column,
                  int64_t n, const int32_t *sums, int64_t at)
{
    const NnCall *call = m->call;
    float scales[COLUMNS];
    if (!m->quantised) {
        memcpy((int32_t *)call->out[0]->data + at, sums, (size_t)n * sizeof(*sums));
        return;
    }
    float a = side_scale(call->in[NN_LEFT_SCALE], left, row, m->s.m);
    float y = nn_scale(call->in[NN_RESULT_SCALE], 0);
    for (int64_t j = 0; j < n; j++)
        scales[j] = a * side_scale(call->in[NN_RIGHT_SCALE], right, column + j, m->s.n) / y;
    nn_requantize(sums, n, scales, 1, nn_zero_point(call->in[NN_RESULT_ZERO], 0),
                  call->out[0]->dtype, (char *)call->out[0]->data + at);
}

static void matmul_tile(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Matmul *m = argument;
    const NnTensor *a = m->call->in[0], *zero = nn_operand(m->call, m->quantised, NN_LEFT_ZERO);
    int64_t k = m->s.k;
    int16_t *rows = (int16_t *)((char *)m->call->scratch + worker * m->worker_bytes);
    int32_t *sums = (int32_t *)((char *)rows + nn_align_up(m->line_bytes, 64));
    for (int64_t tile = begin; tile < end; tile++) {
        int64_t row = tile % m->row_groups * NN_LINES_MAX;
        int64_t column = tile / m->row_groups % m->column_blocks * COLUMNS;
        int64_t matrix = tile / m->row_groups / m->column_blocks;
        int64_t left = own_matrix(m, m->s.a_batch, matrix, m->s.m * k);
        int64_t right = own_matrix(m, m->s.b_batch, matrix, k * m->s.n);
        int64_t n = NN_MIN(COLUMNS, m->s.n - column);
        int lines = (int)NN_MIN(NN_LINES_MAX, m->s.m - row);
        for (int i = 0; i < lines; i++) {
            int16_t *line = rows + i * m->stride;
            nn_widen(a->dtype, (const char *)a->data + (left * m->s.m + row + i) * k, 1,
                     side_zero(zero, left, row + i, m->s.m), k, line, 1);
            memset(line + k, 0, (size_t)(m->stride - k) * sizeof(*line));
        }
        nn_multiply_lines(rows, lines, m->columns + (right * m->s.n + column) * m->stride, n,
                          m->stride, sums);
        for (int i = 0; i < lines; i++)
            store(m, left, right, row + i, column, n, sums + i * n,
                  (matrix * m->s.m + row + i) * m->s.n + column);
    }
}

static int matmul_run(const NnCall *call)
{
    Matmul m;
    int r = matmul_shape(call, &m);
    if (r < 0)
        return r;
    m.columns = call->state;
    if (!m.columns) {
        int16_t *lines = (int16_t *)((char *)call->scratch +
                                     m.worker_bytes * nn_range_workers(call->pool));
        pack_right(&m, lines);
        m.columns = lines;
    }
    nn_range_run(call->pool, m.s.matrices * m.row_groups * m.column_blocks,
                 nn_grain(NN_LINES_MAX * m.stride * NN_MIN(m.s.n, COLUMNS)), matmul_tile, &m);
    return 0;
}

static uint64_t matmul_flops(const NnCall *call)
{
    Matmul m = { 0 };
    if (matmul_shape(call, &m) < 0)
        return 0;
    return (uint64_t)2 * m.s.matrices * m.s.m * m.s.n * m.s.k;
}

#define MATMUL_OP(symbol, name, inputs_min, inputs_max, right)  \
    const NnOp nn_op_##symbol = {                               \
        .type = name,                                           \
        .domain = "",                                           \
        .since = 10,                                            \
        .min_inputs = inputs_min,                               \
        .max_inputs = inputs_max,                               \
        .max_outputs = 1,                                       \
        .params_bytes = sizeof(MatmulParams),                   \
        .packed_input = right,                                  \
        .prepare = matmul_prepare,                              \
        .infer = matmul_infer,                                  \
        .create = matmul_create,                                \
        .check_state = matmul_check_state,                      \
        .scratch = matmul_scratch,                              \
        .run = matmul_run,                                      \
        .flops = matmul_flops,                                  \
    };

MATMUL_OP(matmul_integer, "MatMulInteger", 2, 4, 1)
MATMUL_OP(qlinear_matmul, "QLinearMatMul", 8, 8, NN_RIGHT)
