/* SPDX-License-Identifier: Apache-2.0 */

/* Einsum. Two tensors of float32 whose labels are those of a batch of matrix
 * products become one; anything else is summed as the definition has it. */

#include "kernels/matmul.h"
#include "ops/copy.h"

#define INPUTS_MAX 16
/* a…z, A…Z, then the dimensions that an ellipsis can stand for, the last one last. */
#define LETTERS 52
#define LABELS (LETTERS + NN_RANK_MAX)
#define ELLIPSIS 255
/* Products that one call may add up: hours, not years. */
#define STEPS_MAX ((int64_t)1 << 40)

typedef struct Term {
    int n;
    uint8_t labels[NN_RANK_MAX + 1];
} Term;

typedef struct EinsumParams {
    int n_inputs;
    bool has_output;
    Term terms[INPUTS_MAX + 1];     /* of the inputs, then of the output */
} EinsumParams;

static int find_label(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + LETTERS / 2;
    return -1;
}

/* Labels up to a comma, an arrow or the end. */
static int read_term(const char **equation, Term *term, NnError *error)
{
    const char *c = *equation;
    bool ellipsis = false;
    for (; *c && *c != ',' && *c != '-'; c++) {
        int label = find_label(*c);
        if (*c == ' ')
            continue;
        if (strncmp(c, "...", 3) == 0 && !ellipsis) {
            ellipsis = true;
            label = ELLIPSIS;
            c += 2;
        }
        if (label < 0)
            return nn_error_set(error, -EBADMSG, "the equation has '%s' where a label was expected",
                                c);
        if (term->n == (int)NN_ARRAY_SIZE(term->labels))
            return nn_error_set(error, -E2BIG, "a term of the equation has more than %d labels",
                                NN_RANK_MAX);
        term->labels[term->n++] = (uint8_t)label;
    }
    *equation = c;
    return 0;
}

static int einsum_prepare(const NnNode *node, void *params, NnError *error)
{
    EinsumParams *p = params;
    const char *equation;
    int r = nn_node_string(node, "equation", "", &equation, error);
    if (r < 0)
        return r;
    for (;;) {
        if (p->n_inputs == INPUTS_MAX)
            return nn_error_set(error, -E2BIG, "the equation has more than %d terms", INPUTS_MAX);
        r = read_term(&equation, &p->terms[p->n_inputs++], error);
        if (r < 0)
            return r;
        if (*equation != ',')
            break;
        equation++;
    }
    if (!*equation)
        return 0;
    p->has_output = true;
    if (strncmp(equation, "->", 2) != 0)
        return nn_error_set(error, -EBADMSG, "the equation has '%s' where '->' was expected",
                            equation);
    equation += 2;
    r = read_term(&equation, &p->terms[p->n_inputs], error);
    if (r < 0)
        return r;
    if (*equation)
        return nn_error_set(error, -EBADMSG, "the equation has '%s' behind its output", equation);
    return 0;
}

/* What the equation says of tensors of these dims. */
typedef struct Einsum {
    const NnCall *call;
    size_t n_in;
    int64_t dims[LABELS];
    int uses[LABELS];                       /* places of a label in the inputs */
    int64_t strides[INPUTS_MAX][LABELS];    /* 0 where a label is missing or stands for 1 */
    bool has[INPUTS_MAX][LABELS];
    int n_out, n_sum, ellipsis;             /* dimensions of the longest ellipsis */
    uint8_t out[LABELS], sum[LABELS];
    int64_t sums;                           /* products of one element */
} Einsum;

/* One dimension of an input gets its label. */
static int add_dim(Einsum *e, size_t input, int label, int64_t dim, int64_t stride)
{
    if (e->uses[label] == 0 || e->dims[label] == 1)
        e->dims[label] = dim;
    if (dim != e->dims[label] && dim != 1)
        return nn_error_set(e->call->error, -EBADMSG, "a label stands for %lld and for %lld in "
                            "input %zu", (long long)e->dims[label], (long long)dim, input);
    e->uses[label]++;
    e->has[input][label] = true;
    if (dim != 1)
        e->strides[input][label] += stride;
    return 0;
}

static int add_input(Einsum *e, size_t input, const Term *term)
{
    const NnTensor *in = e->call->in[input];
    bool ellipsis = memchr(term->labels, ELLIPSIS, (size_t)term->n) != NULL;
    int covered = in->rank - (term->n - ellipsis), axis = 0, r = 0;
    int64_t strides[NN_RANK_MAX];
    if (covered < 0 || (covered > 0 && !ellipsis))
        return nn_error_set(e->call->error, -EBADMSG, "input %zu has %d dimensions, its term has "
                            "%d labels", input, in->rank, term->n - ellipsis);
    nn_strides(in, strides);
    e->ellipsis = NN_MAX(e->ellipsis, covered);
    for (int i = 0; i < term->n; i++) {
        int n = term->labels[i] == ELLIPSIS ? covered : 1;
        for (int j = 0; j < n && r >= 0; j++, axis++)
            r = add_dim(e, input, term->labels[i] == ELLIPSIS ? LABELS - n + j : term->labels[i],
                        in->dims[axis], strides[axis]);
    }
    return r;
}

static void add_ellipsis(Einsum *e)
{
    for (int i = LABELS - e->ellipsis; i < LABELS; i++)
        e->out[e->n_out++] = (uint8_t)i;
}

static int compare_letters(int a, int b)
{
    return (a + LETTERS / 2) % LETTERS - (b + LETTERS / 2) % LETTERS;
}

/* Without an output: the ellipsis, then what stands once, as ASCII orders it. */
static void infer_output(Einsum *e)
{
    add_ellipsis(e);
    int first = e->n_out;
    for (int label = 0; label < LETTERS; label++) {
        if (e->uses[label] != 1)
            continue;
        int at = e->n_out++;
        for (; at > first && compare_letters(label, e->out[at - 1]) < 0; at--)
            e->out[at] = e->out[at - 1];
        e->out[at] = (uint8_t)label;
    }
}

static int read_output(Einsum *e, const Term *term)
{
    bool given[LETTERS] = { false };
    for (int i = 0; i < term->n; i++) {
        int label = term->labels[i];
        if (label == ELLIPSIS) {
            add_ellipsis(e);
            continue;
        }
        if (e->uses[label] == 0 || given[label])
            return nn_error_set(e->call->error, -EBADMSG, "label %d of the output %s", i,
                                given[label] ? "is there twice" : "is in no input");
        given[label] = true;
        e->out[e->n_out++] = (uint8_t)label;
    }
    return 0;
}

static int count_steps(Einsum *e)
{
    bool kept[LABELS] = { false };
    int64_t steps = 1;
    for (int i = 0; i < e->n_out; i++)
        kept[e->out[i]] = true;
    e->sums = 1;
    for (int label = 0; label < LABELS; label++) {
        if (e->uses[label] == 0)
            continue;
        /* An empty dimension must not hide how large the others are. */
        if (__builtin_mul_overflow(steps, NN_MAX(e->dims[label], 1), &steps) || steps > STEPS_MAX)
            return nn_error_set(e->call->error, -E2BIG, "more than %lld products to add up",
                                (long long)STEPS_MAX);
        if (kept[label])
            continue;
        e->sum[e->n_sum++] = (uint8_t)label;
        e->sums *= e->dims[label];
    }
    return 0;
}

static int resolve(const NnCall *call, Einsum *e)
{
    const EinsumParams *p = call->params;
    memset(e, 0, sizeof(*e));
    e->call = call;
    e->n_in = call->n_in;
    if (call->n_in != (size_t)p->n_inputs)
        return nn_error_set(call->error, -EBADMSG, "%zu inputs, the equation has %d terms",
                            call->n_in, p->n_inputs);
    for (size_t i = 0; i < call->n_in; i++) {
        int r = add_input(e, i, &p->terms[i]);
        if (r < 0)
            return r;
    }
    int r = 0;
    if (p->has_output)
        r = read_output(e, &p->terms[p->n_inputs]);
    else
        infer_output(e);
    return r < 0 ? r : count_steps(e);
}

static int einsum_infer(const NnCall *call)
{
    int64_t dims[LABELS];
    Einsum e;
    int r = nn_check_inputs(call, call->n_in);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_NUMBER);
    for (size_t i = 1; r >= 0 && i < call->n_in; i++)
        r = nn_check_same_dtype(call, i);
    if (r >= 0)
        r = resolve(call, &e);
    if (r < 0)
        return r;
    for (int i = 0; i < e.n_out; i++)
        dims[i] = e.dims[e.out[i]];
    return nn_set_output(call, 0, call->in[0]->dtype, e.n_out, dims);
}

/* A batch of matrix products. Labels of each factor in the order that it needs. */
typedef struct Product {
    int n_batch, n_rows, n_columns, n_inner;
    uint8_t batch[LABELS], rows[LABELS], columns[LABELS], inner[LABELS];
    int64_t matrices, m, n, k;
} Product;

static void add_label(const Einsum *e, int label, uint8_t *list, int *n, int64_t *size)
{
    list[(*n)++] = (uint8_t)label;
    *size *= e->dims[label];
}

/* Whether the equation is a product; what it multiplies then. */
static bool is_product(const Einsum *e, Product *p)
{
    if (e->n_in != 2 || e->call->in[0]->dtype != NN_DTYPE_F32)
        return false;
    *p = (Product){ .matrices = 1, .m = 1, .n = 1, .k = 1 };
    for (int i = 0; i < e->n_out; i++) {
        int label = e->out[i];
        if (e->has[0][label] && e->has[1][label])
            add_label(e, label, p->batch, &p->n_batch, &p->matrices);
        else if (e->has[0][label])
            add_label(e, label, p->rows, &p->n_rows, &p->m);
        else
            add_label(e, label, p->columns, &p->n_columns, &p->n);
    }
    for (int i = 0; i < e->n_sum; i++) {
        if (!e->has[0][e->sum[i]] || !e->has[1][e->sum[i]])
            return false;
        add_label(e, e->sum[i], p->inner, &p->n_inner, &p->k);
    }
    return true;
}

static size_t floats_bytes(int64_t n)
{
    return nn_align_up((size_t)n * sizeof(float), 64);
}

static size_t einsum_scratch(const NnCall *call)
{
    Einsum e;
    Product p;
    if (resolve(call, &e) < 0 || !is_product(&e, &p))
        return 0;
    return floats_bytes(p.matrices * p.m * p.k) + floats_bytes(p.matrices * p.k * p.n) +
           floats_bytes(p.matrices * p.m * p.n) + nn_matmul_scratch(call->pool);
}

/* Labels of a dense tensor, outermost first. */
typedef struct Order {
    int n;
    uint8_t labels[LABELS];
    int64_t dense[LABELS];      /* strides */
} Order;

static Order make_order(const Einsum *e, const uint8_t *const *lists, const int *n)
{
    Order order = { 0 };
    int64_t stride = 1;
    for (int list = 0; list < 3; list++) {
        memcpy(order.labels + order.n, lists[list], (size_t)n[list]);
        order.n += n[list];
    }
    for (int i = order.n - 1; i >= 0; i--) {
        order.dense[i] = stride;
        stride *= e->dims[order.labels[i]];
    }
    return order;
}

static bool is_dense(const Einsum *e, const Order *order, const int64_t *strides)
{
    for (int i = 0; i < order->n; i++)
        if (e->dims[order->labels[i]] != 1 && strides[order->labels[i]] != order->dense[i])
            return false;
    return true;
}

/* One factor in the given order: itself where it has that order, else a copy. */
static const float *arrange(const Einsum *e, size_t input, const Order *order, float *copied)
{
    NnCopy copy = { .size = sizeof(float), .source = e->call->in[input]->data, .target = copied };
    if (is_dense(e, order, e->strides[input]))
        return e->call->in[input]->data;
    for (int i = 0; i < order->n; i++)
        nn_copy_dim(&copy, e->dims[order->labels[i]], e->strides[input][order->labels[i]],
                    order->dense[i]);
    nn_copy_run(&copy, e->call->pool);
    return copied;
}

/* Strides of the output by label. */
static void output_strides(const Einsum *e, int64_t *ret)
{
    int64_t strides[NN_RANK_MAX];
    nn_strides(e->call->out[0], strides);
    for (int i = 0; i < e->n_out; i++)
        ret[e->out[i]] = strides[i];
}

static void run_product(const Einsum *e, const Product *p)
{
    const NnCall *call = e->call;
    float *a = call->scratch, *b = a + floats_bytes(p->matrices * p->m * p->k) / sizeof(float);
    float *c = b + floats_bytes(p->matrices * p->k * p->n) / sizeof(float),
          *out = call->out[0]->data;
    char *scratch = (char *)c + floats_bytes(p->matrices * p->m * p->n);
    Order left = make_order(e, (const uint8_t *const[]){ p->batch, p->rows, p->inner },
                            (int[]){ p->n_batch, p->n_rows, p->n_inner });
    Order right = make_order(e, (const uint8_t *const[]){ p->batch, p->inner, p->columns },
                             (int[]){ p->n_batch, p->n_inner, p->n_columns });
    Order result = make_order(e, (const uint8_t *const[]){ p->batch, p->rows, p->columns },
                              (int[]){ p->n_batch, p->n_rows, p->n_columns });
    int64_t strides[LABELS];
    output_strides(e, strides);
    bool direct = is_dense(e, &result, strides);
    NnMatmul mm = {
        .m = p->m, .n = p->n, .k = p->k,
        .a = arrange(e, 0, &left, a), .a_row = p->k, .a_column = 1,
        .b = arrange(e, 1, &right, b), .b_row = p->n, .b_column = 1,
        .alpha = 1,
        .c = direct ? out : c,
        .batch_rank = 1,
        .batch = { p->matrices }, .a_batch = { p->m * p->k }, .b_batch = { p->k * p->n },
    };
    nn_matmul_run(&mm, call->kernels, call->pool, scratch);
    if (direct)
        return;
    NnCopy copy = { .size = sizeof(float), .source = c, .target = out };
    for (int i = 0; i < result.n; i++)
        nn_copy_dim(&copy, e->dims[result.labels[i]], result.dense[i], strides[result.labels[i]]);
    nn_copy_run(&copy, call->pool);
}

/* Steps to the next combination of the labels that are summed. */
static void advance(const Einsum *e, int64_t *at, int64_t *offsets)
{
    for (int i = e->n_sum - 1; i >= 0; i--) {
        int label = e->sum[i];
        bool more = ++at[i] < e->dims[label];
        int64_t steps = more ? 1 : 1 - e->dims[label];
        for (size_t input = 0; input < e->n_in; input++)
            offsets[input] += steps * e->strides[input][label];
        if (more)
            return;
        at[i] = 0;
    }
}

/* Integers wrap instead of being undefined. */
#define WIDE _Generic((T)0, float: 0.0, double: 0.0, default: (uint64_t)0)

/* Elements begin…end-1 of the output. */
static void sum_products(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Einsum *e = argument;
    const NnTensor *const *in = e->call->in;
    (void)worker;
    for (int64_t element = begin; element < end; element++) {
        int64_t at[LABELS] = { 0 }, offsets[INPUTS_MAX] = { 0 }, rest = element;
        for (int i = e->n_out - 1; i >= 0; i--) {
            for (size_t input = 0; input < e->n_in; input++)
                offsets[input] += rest % e->dims[e->out[i]] * e->strides[input][e->out[i]];
            rest /= e->dims[e->out[i]];
        }
        NN_SWITCH_NUMBER(in[0]->dtype, {
            __typeof__(WIDE) sum = 0;
            for (int64_t step = 0; step < e->sums; step++, advance(e, at, offsets)) {
                __typeof__(WIDE) product = 1;
                for (size_t input = 0; input < e->n_in; input++)
                    product *= (__typeof__(WIDE))((const T *)in[input]->data)[offsets[input]];
                sum += product;
            }
            ((T *)e->call->out[0]->data)[element] = (T)sum;
        })
    }
}

static int einsum_run(const NnCall *call)
{
    Einsum e;
    Product p;
    int r = resolve(call, &e);
    int64_t n = nn_tensor_elements(call->out[0]);
    if (r < 0 || n == 0)
        return r;
    if (is_product(&e, &p))
        run_product(&e, &p);
    else
        nn_range_run(call->pool, n, nn_grain(NN_MIN(e.sums, INT32_MAX) * 4), sum_products, &e);
    return 0;
}

static uint64_t einsum_flops(const NnCall *call)
{
    Einsum e;
    if (resolve(call, &e) < 0)
        return 0;
    return (uint64_t)call->n_in * (uint64_t)(nn_tensor_elements(call->out[0]) * e.sums);
}

const NnOp nn_op_einsum = {
    .type = "Einsum",
    .domain = "",
    .since = 12,
    .min_inputs = 1,
    .max_inputs = INPUTS_MAX,
    .max_outputs = 1,
    .params_bytes = sizeof(EinsumParams),
    .prepare = einsum_prepare,
    .infer = einsum_infer,
    .scratch = einsum_scratch,
    .run = einsum_run,
    .flops = einsum_flops,
};
