/* SPDX-License-Identifier: Apache-2.0 */

#include "ops/copy.h"

/* Side of the square that a transposing loop keeps in the first-level cache. */
#define TILE 16

void nn_copy_dim(NnCopy *copy, int64_t dim, int64_t from, int64_t to)
{
    copy->dims[copy->rank] = dim;
    copy->from[copy->rank] = from;
    copy->to[copy->rank] = to;
    copy->rank++;
}

/* Drops dimensions of 1 and joins neighbours that are one run on both sides. */
static bool simplify(const NnCopy *copy, NnCopy *ret)
{
    ret->size = copy->size;
    ret->source = copy->source;
    ret->target = copy->target;
    ret->rank = 0;
    for (int i = 0; i < copy->rank; i++) {
        if (copy->dims[i] == 0)
            return false;
        if (copy->dims[i] == 1)
            continue;
        int last = ret->rank - 1;
        if (last >= 0 && ret->from[last] == copy->from[i] * copy->dims[i] &&
            ret->to[last] == copy->to[i] * copy->dims[i]) {
            ret->dims[last] *= copy->dims[i];
            ret->from[last] = copy->from[i];
            ret->to[last] = copy->to[i];
        } else {
            nn_copy_dim(ret, copy->dims[i], copy->from[i], copy->to[i]);
        }
    }
    while (ret->rank < 2) {
        memmove(ret->dims + 1, ret->dims, (size_t)ret->rank * sizeof(ret->dims[0]));
        memmove(ret->from + 1, ret->from, (size_t)ret->rank * sizeof(ret->from[0]));
        memmove(ret->to + 1, ret->to, (size_t)ret->rank * sizeof(ret->to[0]));
        ret->dims[0] = 1;
        ret->from[0] = ret->to[0] = 0;
        ret->rank++;
    }
    return true;
}

/* Brings the dimension along which the source is dense next to the last one, so
 * that a plane of the two can be moved in squares. */
static void move_dense_inwards(NnCopy *copy)
{
    int last = copy->rank - 1;
    if (copy->from[last] == 1)
        return;
    for (int i = 0; i < last - 1; i++) {
        if (copy->from[i] != 1)
            continue;
        int64_t dim = copy->dims[i], from = copy->from[i], to = copy->to[i];
        for (int j = i; j < last - 1; j++) {
            copy->dims[j] = copy->dims[j + 1];
            copy->from[j] = copy->from[j + 1];
            copy->to[j] = copy->to[j + 1];
        }
        copy->dims[last - 1] = dim;
        copy->from[last - 1] = from;
        copy->to[last - 1] = to;
        return;
    }
}

/* One plane of the last two dimensions, rows begin…end-1. */
static void move_plane(const NnCopy *c, const char *source, char *target, int64_t begin,
                       int64_t end)
{
    int a = c->rank - 2, b = c->rank - 1;
    int64_t from_a = c->from[a], from_b = c->from[b], to_a = c->to[a], to_b = c->to[b];
    int64_t n = c->dims[b], size = (int64_t)c->size;
    if (from_b == 1 && to_b == 1) {
        for (int64_t i = begin; i < end; i++)
            memcpy(target + i * to_a * size, source + i * from_a * size, (size_t)(n * size));
        return;
    }
    /* Squares pay only where the other dimension is the dense one. */
    int64_t tile = from_a == 1 ? TILE : n;
    NN_SWITCH_SIZE(c->size, {
        const T *s = (const T *)source;
        T *t = (T *)target;
        for (int64_t i0 = begin; i0 < end; i0 += TILE)
            for (int64_t j0 = 0; j0 < n; j0 += tile)
                for (int64_t i = i0; i < NN_MIN(i0 + TILE, end); i++)
                    for (int64_t j = j0; j < NN_MIN(j0 + tile, n); j++)
                        t[i * to_a + j * to_b] = s[i * from_a + j * from_b];
    })
}

static void move_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCopy *c = argument;
    int64_t rows = c->dims[c->rank - 2], size = (int64_t)c->size;
    (void)worker;
    for (int64_t row = begin; row < end;) {
        int64_t first = row % rows, rest = row / rows, from = 0, to = 0;
        int64_t last = NN_MIN(rows, first + end - row);
        for (int i = c->rank - 3; i >= 0; i--) {
            from += rest % c->dims[i] * c->from[i];
            to += rest % c->dims[i] * c->to[i];
            rest /= c->dims[i];
        }
        move_plane(c, (const char *)c->source + from * size, (char *)c->target + to * size, first,
                   last);
        row += last - first;
    }
}

void nn_copy_run(const NnCopy *copy, NnPool *pool)
{
    NnCopy c;
    if (!simplify(copy, &c))
        return;
    move_dense_inwards(&c);
    /* One dense run has a single row: cut it so that threads can share it. */
    if (c.rank == 2 && c.dims[0] == 1 && c.from[1] == 1 && c.to[1] == 1 && c.dims[1] % 4096 == 0) {
        c.dims[0] = c.dims[1] / 4096;
        c.dims[1] = 4096;
        c.from[0] = c.to[0] = 4096;
    }
    int64_t rows = nn_product(c.dims, 0, c.rank - 1);
    nn_range_run(pool, rows, nn_grain(c.dims[c.rank - 1]) * 2, move_rows, &c);
}

void nn_copy_whole(const NnTensor *from, NnTensor *to, NnPool *pool)
{
    if (from->data == to->data)
        return;
    NnCopy copy = { .size = nn_dtype_size(from->dtype), .source = from->data, .target = to->data };
    nn_copy_dim(&copy, nn_tensor_elements(from), 1, 1);
    nn_copy_run(&copy, pool);
}

void nn_copy_fill(void *target, int64_t n, size_t size, const void *value)
{
    NN_SWITCH_SIZE(size, {
        T v, *t = target;
        memcpy(&v, value, sizeof(v));
        for (int64_t i = 0; i < n; i++)
            t[i] = v;
    })
}

typedef struct Indexed {
    const NnTensor *in;
    NnTensor *out;
    const int64_t *table[NN_RANK_MAX];
    int64_t strides[NN_RANK_MAX];
    const void *fill;
} Indexed;

/* Offset of the source row, or -1 where a dimension asks for the fill. */
static int64_t indexed_row(const Indexed *x, int64_t row)
{
    int64_t offset = 0;
    for (int i = x->out->rank - 2; i >= 0; i--) {
        int64_t index = x->table[i][row % x->out->dims[i]];
        row /= x->out->dims[i];
        if (index < 0)
            return -1;
        offset += index * x->strides[i];
    }
    return offset;
}

static void indexed_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Indexed *x = argument;
    size_t size = nn_dtype_size(x->out->dtype);
    int64_t n = x->out->dims[x->out->rank - 1], previous = -2;
    const int64_t *table = x->table[x->out->rank - 1];
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        char *target = (char *)x->out->data + (size_t)(row * n) * size;
        int64_t offset = indexed_row(x, row);
        /* Enlarging repeats rows: the copy of a finished one is cheaper. */
        if (offset == previous) {
            memcpy(target, target - (size_t)n * size, (size_t)n * size);
            continue;
        }
        previous = offset;
        if (offset < 0) {
            nn_copy_fill(target, n, size, x->fill);
            continue;
        }
        NN_SWITCH_SIZE(size, {
            const T *s = (const T *)x->in->data + offset;
            T *t = (T *)target;
            for (int64_t i = 0; i < n; i++) {
                if (table[i] >= 0)
                    t[i] = s[table[i]];
                else
                    memcpy(&t[i], x->fill, sizeof(T));
            }
        })
    }
}

void nn_copy_indexed(const NnTensor *in, NnTensor *out, const int64_t *tables, const void *fill,
                     NnPool *pool)
{
    int64_t n = nn_tensor_elements(out);
    if (n == 0)
        return;
    if (out->rank == 0) {
        memcpy(out->data, in->data, nn_dtype_size(in->dtype));
        return;
    }
    Indexed x = { .in = in, .out = out, .fill = fill };
    for (int i = 0; i < out->rank; i++) {
        x.table[i] = tables;
        tables += out->dims[i];
    }
    nn_strides(in, x.strides);
    int64_t row = out->dims[out->rank - 1];
    nn_range_run(pool, n / row, nn_grain(row), indexed_rows, &x);
}

int64_t nn_copy_table_entries(const NnTensor *out)
{
    int64_t n = 0;
    for (int i = 0; i < out->rank; i++)
        n += out->dims[i];
    return n;
}
