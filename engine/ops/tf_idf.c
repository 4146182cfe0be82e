/* SPDX-License-Identifier: Apache-2.0 */

/* TfIdfVectorizer of integers: counts which n-grams of a pool stand in each row. */

#include "base/limits.h"
#include "ops/support.h"

/* More items than this are never skipped within an n-gram. */
#define SKIPS_MAX 1024

typedef enum Weighting {
    WEIGHTING_TF,
    WEIGHTING_IDF,
    WEIGHTING_TFIDF,
} Weighting;

typedef struct TfIdfParams {
    int64_t min_length, max_length, max_skip;
    Weighting weighting;
    int64_t columns;
} TfIdfParams;

static int read_weighting(const NnNode *node, TfIdfParams *p, NnError *error)
{
    static const char *const names[] = {
        [WEIGHTING_TF] = "TF",
        [WEIGHTING_IDF] = "IDF",
        [WEIGHTING_TFIDF] = "TFIDF",
    };
    const char *name;
    int r = nn_node_string(node, "mode", "", &name, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            p->weighting = (Weighting)i;
            return 0;
        }
    }
    return nn_error_set(error, -EBADMSG, "mode is '%s', expected TF, IDF or TFIDF", name);
}

static int read_lengths(const NnNode *node, TfIdfParams *p, NnError *error)
{
    int r = nn_node_int(node, "min_gram_length", 0, &p->min_length, error);
    if (r >= 0)
        r = nn_node_int(node, "max_gram_length", 0, &p->max_length, error);
    if (r >= 0)
        r = nn_node_int(node, "max_skip_count", 0, &p->max_skip, error);
    if (r < 0)
        return r;
    if (p->min_length < 1 || p->max_length < p->min_length)
        return nn_error_set(error, -EBADMSG, "n-grams of %lld to %lld", (long long)p->min_length,
                            (long long)p->max_length);
    if (p->max_skip < 0 || p->max_skip > SKIPS_MAX)
        return nn_error_set(error, -E2BIG, "max_skip_count is %lld, limit %d",
                            (long long)p->max_skip, SKIPS_MAX);
    return 0;
}

/* The n-grams of one length: their numbers in the pool, and the index of the
 * first of them in ngram_indexes. */
typedef struct Grams {
    int64_t length, n, first;
    const int64_t *pool;
} Grams;

/* Those of length `length`, given where those of the length before end. -EBADMSG
 * when ngram_counts does not divide the pool. */
static int next_grams(const NnNode *node, int64_t length, Grams *grams)
{
    const NnAttribute *pool = nn_node_attribute(node, "pool_int64s");
    const NnAttribute *starts = nn_node_attribute(node, "ngram_counts");
    int64_t begin = starts->ints[length - 1];
    int64_t end = (size_t)length < starts->n ? starts->ints[length] : (int64_t)pool->n;
    if (begin < 0 || end < begin || end > (int64_t)pool->n || (end - begin) % length != 0)
        return -EBADMSG;
    *grams = (Grams){ .length = length, .n = (end - begin) / length,
                      .first = grams->first + grams->n, .pool = pool->ints + begin };
    return 0;
}

static int check_pool(const NnNode *node, const TfIdfParams *p, NnError *error)
{
    const NnAttribute *starts = nn_node_attribute(node, "ngram_counts");
    const NnAttribute *indexes = nn_node_attribute(node, "ngram_indexes");
    const NnAttribute *weights = nn_node_attribute(node, "weights");
    Grams grams = { 0 };
    for (int64_t length = 1; length <= (int64_t)starts->n; length++)
        if (next_grams(node, length, &grams) < 0)
            return nn_error_set(error, -EBADMSG, "ngram_counts does not divide the pool");
    if (starts->ints[0] != 0 || p->max_length > (int64_t)starts->n)
        return nn_error_set(error, -EBADMSG, "ngram_counts has %zu lengths, %lld were expected",
                            starts->n, (long long)p->max_length);
    if (grams.first + grams.n != (int64_t)indexes->n)
        return nn_error_set(error, -EBADMSG, "%zu ngram_indexes for %lld n-grams", indexes->n,
                            (long long)(grams.first + grams.n));
    if (weights && (weights->type != NN_ATTRIBUTE_FLOATS || weights->n != indexes->n))
        return nn_error_set(error, -EBADMSG, "weights are not one float for each n-gram");
    return 0;
}

static int check_lists(const NnNode *node, NnError *error)
{
    static const char *const names[] = { "pool_int64s", "ngram_counts", "ngram_indexes" };
    if (nn_node_attribute(node, "pool_strings"))
        return nn_error_set(error, -ENOTSUP, "n-grams of strings (pool_strings) are not supported");
    for (size_t i = 0; i < NN_ARRAY_SIZE(names); i++) {
        const NnAttribute *a = nn_node_attribute(node, names[i]);
        if (!a || a->type != NN_ATTRIBUTE_INTS || a->n == 0)
            return nn_error_set(error, -EBADMSG, "%s is missing", names[i]);
    }
    return 0;
}

static int tf_idf_prepare(const NnNode *node, void *params, NnError *error)
{
    TfIdfParams *p = params;
    int r = read_weighting(node, p, error);
    if (r >= 0)
        r = read_lengths(node, p, error);
    if (r >= 0)
        r = check_lists(node, error);
    if (r >= 0)
        r = check_pool(node, p, error);
    if (r < 0)
        return r;
    const NnAttribute *indexes = nn_node_attribute(node, "ngram_indexes");
    for (size_t i = 0; i < indexes->n; i++) {
        if (indexes->ints[i] < 0 || indexes->ints[i] >= (int64_t)NN_LIMIT_TENSOR_BYTES)
            return nn_error_set(error, -EBADMSG, "ngram_indexes holds %lld",
                                (long long)indexes->ints[i]);
        p->columns = NN_MAX(p->columns, indexes->ints[i] + 1);
    }
    return 0;
}

static int tf_idf_infer(const NnCall *call)
{
    const TfIdfParams *p = call->params;
    int r = nn_check_inputs(call, 1);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_INDEX);
    if (r >= 0)
        r = nn_check_rank(call, 0, 1, 2);
    if (r < 0)
        return r;
    int64_t dims[2] = { call->in[0]->dims[0], p->columns };
    return call->in[0]->rank == 2 ? nn_set_output(call, 0, NN_DTYPE_F32, 2, dims)
                                  : nn_set_output(call, 0, NN_DTYPE_F32, 1, &dims[1]);
}

/* Scratch: the n-grams of one length in ascending order. */
static size_t tf_idf_scratch(const NnCall *call)
{
    return nn_node_attribute(call->node, "ngram_indexes")->n * sizeof(int64_t);
}

static int compare_grams(const int64_t *a, const int64_t *b, int64_t length)
{
    for (int64_t i = 0; i < length; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

/* The heap gives the last one first. */
static bool stands_behind(const void *context, int64_t a, int64_t b)
{
    const Grams *g = context;
    int order = compare_grams(g->pool + a * g->length, g->pool + b * g->length, g->length);
    return order ? order > 0 : a > b;
}

static void sort(const Grams *grams, int64_t *order)
{
    for (int64_t i = 0; i < grams->n; i++)
        order[i] = i;
    nn_heap_build(order, grams->n, stands_behind, grams);
    for (int64_t left = grams->n; left > 0; left--)
        order[left - 1] = nn_heap_take(order, left, stands_behind, grams);
}

/* The n-gram that begins at `at` with `step` between its items, or -1. */
static int64_t find(const Grams *grams, const int64_t *order, const NnTensor *in, int64_t at,
                    int64_t step)
{
    int64_t low = 0, high = grams->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2, i = 0, item = 0, wanted = 0;
        const int64_t *gram = grams->pool + order[middle] * grams->length;
        for (; i < grams->length && item == wanted; i++) {
            item = gram[i];
            wanted = nn_load_int(in, at + i * step);
        }
        if (item == wanted)
            return order[middle];
        if (item < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* Adds the n-grams of one length to the counts of a row. */
static void count_grams(const NnCall *call, const Grams *grams, const int64_t *order, int64_t row,
                        int64_t n)
{
    const TfIdfParams *p = call->params;
    const int64_t *indexes = nn_node_attribute(call->node, "ngram_indexes")->ints;
    const NnAttribute *weights = nn_node_attribute(call->node, "weights");
    float *to = (float *)call->out[0]->data + row * p->columns;
    int64_t skips = grams->length == 1 ? 0 : p->max_skip;
    for (int64_t step = 1; step <= skips + 1; step++) {
        for (int64_t i = 0; i < n - (grams->length - 1) * step; i++) {
            int64_t gram = find(grams, order, call->in[0], row * n + i, step);
            if (gram < 0)
                continue;
            float weight = weights && p->weighting != WEIGHTING_TF
                               ? weights->floats[grams->first + gram] : 1;
            float *count = &to[indexes[grams->first + gram]];
            *count = p->weighting == WEIGHTING_IDF ? weight : *count + weight;
        }
    }
}

static int tf_idf_run(const NnCall *call)
{
    const TfIdfParams *p = call->params;
    const NnTensor *in = call->in[0];
    int64_t n = in->dims[in->rank - 1], rows = in->rank == 2 ? in->dims[0] : 1;
    int64_t *order = call->scratch;
    Grams grams = { 0 };
    memset(call->out[0]->data, 0, (size_t)(rows * p->columns) * sizeof(float));
    for (int64_t length = 1; length <= p->max_length; length++) {
        int r = next_grams(call->node, length, &grams);
        if (r < 0)
            return r;
        if (length < p->min_length)
            continue;
        sort(&grams, order);
        for (int64_t row = 0; row < rows; row++)
            count_grams(call, &grams, order, row, n);
    }
    return 0;
}

const NnOp nn_op_tf_idf_vectorizer = {
    .type = "TfIdfVectorizer",
    .domain = "",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 1,
    .params_bytes = sizeof(TfIdfParams),
    .prepare = tf_idf_prepare,
    .infer = tf_idf_infer,
    .scratch = tf_idf_scratch,
    .run = tf_idf_run,
};
