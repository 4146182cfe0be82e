/* SPDX-License-Identifier: Apache-2.0 */

/* RNN, GRU and LSTM. What the input adds to the gates is one matrix product for
 * all steps; a step multiplies the last state with the recurrent weights, which
 * are packed once, and activates the gates. */

#include <math.h>

#include "kernels/matmul.h"
#include "ops/cell.h"
#include "ops/support.h"

/* Columns of recurrent weights that are summed at once, in registers. */
#define PANEL 32
#define GATES_MAX 4

typedef enum Kind {
    RNN,
    GRU,
    LSTM,
} Kind;

typedef struct RecurrentParams {
    Kind kind;
    int gates, directions;
    bool reverse;               /* the first direction */
    bool batch_first;
    bool linear_before_reset, input_forget;
    int64_t hidden;             /* 0: as the weights have it */
    float clip;
    NnCellFunction functions[2][NN_CELL_FUNCTIONS];
} RecurrentParams;

static int read_direction(const NnNode *node, RecurrentParams *p, NnError *error)
{
    const char *direction;
    int r = nn_node_string(node, "direction", "forward", &direction, error);
    if (r < 0)
        return r;
    p->reverse = strcmp(direction, "reverse") == 0;
    p->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
    if (!p->reverse && p->directions == 1 && strcmp(direction, "forward") != 0)
        return nn_error_set(error, -EBADMSG, "direction is '%s'", direction);
    return 0;
}

static int recurrent_prepare(const NnNode *node, void *params, Kind kind, NnError *error)
{
    static const NnCellKind functions[][NN_CELL_FUNCTIONS] = {
        [RNN] = { NN_CELL_TANH },
        [GRU] = { NN_CELL_SIGMOID, NN_CELL_TANH },
        [LSTM] = { NN_CELL_SIGMOID, NN_CELL_TANH, NN_CELL_TANH },
    };
    static const int gates[] = { [RNN] = 1, [GRU] = 3, [LSTM] = 4 };
    RecurrentParams *p = params;
    int64_t layout, linear, coupled;
    p->kind = kind;
    p->gates = gates[kind];
    int r = read_direction(node, p, error);
    if (r >= 0)
        r = nn_node_int(node, "hidden_size", 0, &p->hidden, error);
    if (r >= 0)
        r = nn_node_int(node, "layout", 0, &layout, error);
    if (r >= 0)
        r = nn_node_int(node, "linear_before_reset", 0, &linear, error);
    if (r >= 0)
        r = nn_node_int(node, "input_forget", 0, &coupled, error);
    if (r >= 0)
        r = nn_node_float(node, "clip", INFINITY, &p->clip, error);
    if (r < 0)
        return r;
    if (!(p->clip > 0))
        return nn_error_set(error, -EBADMSG, "clip is %g", (double)p->clip);
    p->batch_first = layout != 0;
    p->linear_before_reset = linear != 0;
    p->input_forget = coupled != 0;
    return nn_cell_read(node, p->directions, kind + 1, functions[kind], p->functions, error);
}

static int rnn_prepare(const NnNode *node, void *params, NnError *error)
{
    return recurrent_prepare(node, params, RNN, error);
}

static int gru_prepare(const NnNode *node, void *params, NnError *error)
{
    return recurrent_prepare(node, params, GRU, error);
}

static int lstm_prepare(const NnNode *node, void *params, NnError *error)
{
    return recurrent_prepare(node, params, LSTM, error);
}

typedef struct Shape {
    int64_t steps, batch, input, hidden;
    int64_t width;              /* of all gates */
    int64_t panels;             /* of one gate */
} Shape;

static Shape get_shape(const NnCall *call)
{
    const RecurrentParams *p = call->params;
    const NnTensor *x = call->in[0];
    int64_t hidden = call->in[2]->dims[2];
    return (Shape){
        .steps = x->dims[p->batch_first],
        .batch = x->dims[!p->batch_first],
        .input = x->dims[2],
        .hidden = hidden,
        .width = hidden * p->gates,
        .panels = nn_div_up(hidden, PANEL),
    };
}

/* An absent optional input passes. */
static int check_dims(const NnCall *call, size_t input, int rank, const int64_t *dims)
{
    const NnTensor *t = nn_input(call, input);
    const NnTensor expected = {.dtype = input == 4 ? NN_DTYPE_I32 : NN_DTYPE_F32,
                               .rank = rank,
                               .dims = {dims[0], rank > 1 ? dims[1] : 0, rank > 2 ? dims[2] : 0}};
    char found[128], wanted[128];
    int r = nn_check_dtype(call, input, NN_BIT(expected.dtype));
    if (r < 0 || !t)
        return r;
    if (t->rank == rank && memcmp(t->dims, dims, (size_t)rank * sizeof(*dims)) == 0)
        return 0;
    return nn_error_set(call->error, -EBADMSG, "input %zu is %s, expected %s", input,
                        nn_tensor_shape_string(t, found, sizeof(found)),
                        nn_tensor_shape_string(&expected, wanted, sizeof(wanted)));
}

static int check_weights(const NnCall *call)
{
    const RecurrentParams *p = call->params;
    int r = nn_check_inputs(call, 3);
    for (size_t i = 0; r >= 0 && i < 3; i++) {
        r = nn_check_dtype(call, i, NN_BIT(NN_DTYPE_F32));
        if (r >= 0)
            r = nn_check_rank(call, i, 3, 3);
    }
    if (r < 0)
        return r;
    Shape s = get_shape(call);
    if (s.hidden < 1 || s.input < 1)
        return nn_error_set(call->error, -EBADMSG, "the weights are empty");
    if (p->hidden && p->hidden != s.hidden)
        return nn_error_set(call->error, -EBADMSG, "hidden_size is %lld, the weights have %lld",
                            (long long)p->hidden, (long long)s.hidden);
    r = check_dims(call, 1, 3, (int64_t[]){ p->directions, s.width, s.input });
    return r < 0 ? r : check_dims(call, 2, 3, (int64_t[]){ p->directions, s.width, s.hidden });
}

static int recurrent_infer(const NnCall *call)
{
    const RecurrentParams *p = call->params;
    int r = check_weights(call);
    if (r < 0)
        return r;
    Shape s = get_shape(call);
    const int64_t d = p->directions, b = s.batch, t = s.steps, h = s.hidden;
    const int64_t *state = p->batch_first ? (int64_t[]){ b, d, h } : (int64_t[]){ d, b, h };
    const int64_t *all = p->batch_first ? (int64_t[]){ b, t, d, h } : (int64_t[]){ t, d, b, h };
    r = check_dims(call, 3, 2, (int64_t[]){ d, 2 * s.width });
    if (r >= 0)
        r = check_dims(call, 4, 1, &b);
    for (size_t i = 5; r >= 0 && i < 7; i++)
        r = check_dims(call, i, 3, state);
    if (r >= 0)
        r = check_dims(call, 7, 2, (int64_t[]){ d, 3 * h });
    if (r >= 0)
        r = nn_set_output(call, 0, NN_DTYPE_F32, 4, all);
    for (size_t i = 1; r >= 0 && i < 3; i++)
        r = nn_set_output(call, i, NN_DTYPE_F32, 3, state);
    return r;
}

/* Recurrent weights of one direction: gate by gate in panels. */
static size_t packed_floats(const RecurrentParams *p, const Shape *s)
{
    return (size_t)(p->gates * s->panels * PANEL * s->hidden);
}

static void pack_recurrent(const NnCall *call, int direction, float *packed)
{
    const RecurrentParams *p = call->params;
    Shape s = get_shape(call);
    const float *r = (const float *)call->in[2]->data + direction * s.width * s.hidden;
    for (int gate = 0; gate < p->gates; gate++)
        nn_pack_rows(r + gate * s.hidden * s.hidden, s.hidden, 1, s.hidden, s.hidden, 1, PANEL,
                     packed + gate * s.panels * PANEL * s.hidden);
}

/* What the weights behind it are: input 1 as it was, then the recurrent ones of
 * all directions packed. */
typedef struct State {
    _Alignas(64) int64_t panel;
    int64_t directions, width, input, hidden;
} State;

static State describe_state(const NnCall *call)
{
    const RecurrentParams *p = call->params;
    Shape s = get_shape(call);
    return (State){ .panel = PANEL, .directions = p->directions, .width = s.width,
                    .input = s.input, .hidden = s.hidden };
}

/* Bytes of input 1, rounded up so that what follows is aligned. */
static size_t weights_bytes(const NnCall *call)
{
    return nn_align_up((size_t)nn_tensor_elements(call->in[1]) * sizeof(float), 64);
}

static size_t state_bytes(const NnCall *call)
{
    const RecurrentParams *p = call->params;
    Shape s = get_shape(call);
    return sizeof(State) + weights_bytes(call) +
           (size_t)p->directions * packed_floats(p, &s) * sizeof(float);
}

static const float *state_weights(const NnCall *call)
{
    return (const float *)((const State *)call->state + 1);
}

static const float *state_packed(const NnCall *call)
{
    return state_weights(call) + weights_bytes(call) / sizeof(float);
}

static int recurrent_create(const NnCall *call, void **ret_state, size_t *ret_bytes)
{
    const RecurrentParams *p = call->params;
    Shape s = get_shape(call);
    *ret_state = NULL;
    if (!call->in[1]->data || !call->in[2]->data)
        return 0;
    State *state = nn_aligned_alloc(state_bytes(call));
    if (!state)
        return -ENOMEM;
    memset(state, 0, state_bytes(call));
    *state = describe_state(call);
    float *weights = (float *)(state + 1), *packed = weights + weights_bytes(call) / sizeof(float);
    memcpy(weights, call->in[1]->data, (size_t)nn_tensor_elements(call->in[1]) * sizeof(float));
    for (int d = 0; d < p->directions; d++)
        pack_recurrent(call, d, packed + (size_t)d * packed_floats(p, &s));
    *ret_state = state;
    *ret_bytes = state_bytes(call);
    return 0;
}

static int recurrent_check_state(const NnCall *call, const void *state, size_t bytes)
{
    const State *st = state, expected = describe_state(call);
    if (bytes != state_bytes(call) || st->panel != expected.panel ||
        st->directions != expected.directions || st->width != expected.width ||
        st->input != expected.input || st->hidden != expected.hidden)
        return nn_error_set(call->error, -EBADMSG, "its weights were packed for another shape");
    return 0;
}

/* One call. Rows of the gates are in the order of the input's rows. */
typedef struct Recurrent {
    const NnCall *call;
    const RecurrentParams *p;
    Shape s;
    int direction;
    bool reverse;
    const float *packed;
    float *gates;               /* [steps × batch][width]: the input's part, then the whole */
    float *bias;                /* [width] */
    float *product;             /* [batch][width]: the state's part of one step */
    float *h, *c, *reset;       /* [batch][hidden] */
    int64_t step;
    int first_gate;             /* of a product */
    const float *factor;        /* [batch][hidden]: what it multiplies */
} Recurrent;

/* Hands out `floats` of the scratch and moves on; counts alone without one. */
static float *place(char *base, size_t *used, size_t floats)
{
    float *at = base ? (float *)(base + *used) : NULL;
    *used += nn_align_up(floats * sizeof(float), 64);
    return at;
}

/* Lays the scratch out, or measures it; where the matrix product has its own. */
static size_t lay_out(Recurrent *run, char *base, float **ret_packed)
{
    const Shape *s = &run->s;
    size_t used = 0, rows = (size_t)(s->steps * s->batch), batch = (size_t)s->batch;
    run->gates = place(base, &used, rows * (size_t)s->width);
    run->bias = place(base, &used, (size_t)s->width);
    run->product = place(base, &used, batch * (size_t)s->width);
    run->h = place(base, &used, batch * (size_t)s->hidden);
    run->c = place(base, &used, batch * (size_t)s->hidden);
    run->reset = place(base, &used, batch * (size_t)s->hidden);
    *ret_packed = place(base, &used, run->call->state ? 0 : packed_floats(run->p, s));
    return used;
}

static size_t recurrent_scratch(const NnCall *call)
{
    Recurrent run = { .call = call, .p = call->params, .s = get_shape(call) };
    float *packed;
    return lay_out(&run, NULL, &packed) + nn_matmul_scratch(call->pool);
}

/* Both biases of each gate at once, but for the one that GRU resets. */
static const float *sum_bias(Recurrent *run)
{
    const NnTensor *b = nn_input(run->call, 3);
    const Shape *s = &run->s;
    bool apart = run->p->kind == GRU && run->p->linear_before_reset;
    if (!b)
        return NULL;
    const float *w = (const float *)b->data + run->direction * 2 * s->width, *r = w + s->width;
    for (int64_t i = 0; i < s->width; i++)
        run->bias[i] = apart && i >= 2 * s->hidden ? w[i] : w[i] + r[i];
    return run->bias;
}

/* The input's part of all gates. */
static void project(Recurrent *run, const float *weights, void *scratch)
{
    const Shape *s = &run->s;
    NnMatmul mm = {
        .m = s->steps * s->batch,
        .n = s->width,
        .k = s->input,
        .a = run->call->in[0]->data,
        .a_row = s->input,
        .a_column = 1,
        .b = weights + run->direction * s->width * s->input,
        .b_row = 1,
        .b_column = s->input,
        .d = sum_bias(run),
        .d_column = 1,
        .alpha = 1,
        .beta = 1,
        .c = run->gates,
    };
    nn_matmul_run(&mm, run->call->kernels, run->call->pool, scratch);
}

static int64_t length_of(const Recurrent *run, int64_t b)
{
    const NnTensor *lengths = nn_input(run->call, 4);
    return lengths ? ((const int32_t *)lengths->data)[b] : run->s.steps;
}

/* The step of the sequence that this one looks at. */
static int64_t time_of(const Recurrent *run, int64_t b)
{
    return run->reverse ? length_of(run, b) - 1 - run->step : run->step;
}

static float *gates_of(const Recurrent *run, int64_t b)
{
    int64_t t = time_of(run, b);
    int64_t row = run->p->batch_first ? b * run->s.steps + t : t * run->s.batch + b;
    return run->gates + row * run->s.width;
}

/* Of initial_h, Y_h and their like. */
static int64_t state_offset(const Recurrent *run, int64_t b)
{
    int64_t row = run->p->batch_first ? b * run->p->directions + run->direction
                                      : run->direction * run->s.batch + b;
    return row * run->s.hidden;
}

static int64_t output_offset(const Recurrent *run, int64_t t, int64_t b)
{
    int64_t d = run->p->directions;
    int64_t row = run->p->batch_first ? (b * run->s.steps + t) * d + run->direction
                                      : (t * d + run->direction) * run->s.batch + b;
    return row * run->s.hidden;
}

static void multiply_panels(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Recurrent *run = argument;
    const Shape *s = &run->s;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        int64_t panel = i + run->first_gate * s->panels, column = i % s->panels * PANEL;
        int64_t at = panel / s->panels * s->hidden + column;
        const float *weights = run->packed + panel * PANEL * s->hidden;
        for (int64_t b = 0; b < s->batch; b++) {
            const float *x = run->factor + b * s->hidden;
            float sum[PANEL] = { 0 };
            for (int64_t k = 0; k < s->hidden; k++)
                for (int j = 0; j < PANEL; j++)
                    sum[j] += x[k] * weights[k * PANEL + j];
            memcpy(run->product + b * s->width + at, sum,
                   (size_t)NN_MIN(s->hidden - column, PANEL) * sizeof(float));
        }
    }
}

/* product = factor × recurrent weights, for the gates first…first+n-1. */
static void multiply(Recurrent *run, const float *factor, int first, int n)
{
    run->factor = factor;
    run->first_gate = first;
    nn_range_run(run->call->pool, n * run->s.panels, nn_grain(run->s.batch * run->s.hidden * PANEL),
                 multiply_panels, run);
}

static void add(float *x, const float *y, int64_t n)
{
    NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void activate(const Recurrent *run, int function, float *x, int64_t n)
{
    nn_cell_apply(&run->p->functions[run->direction][function], run->call->kernels, run->p->clip, x,
                  n);
}

/* The new state becomes row t of Y. */
static void put_output(const Recurrent *run, int64_t b)
{
    NnTensor *y = nn_output(run->call, 0);
    if (y)
        memcpy((float *)y->data + output_offset(run, time_of(run, b), b),
               run->h + b * run->s.hidden, (size_t)run->s.hidden * sizeof(float));
}

static void rnn_row(const Recurrent *run, int64_t b)
{
    int64_t n = run->s.hidden;
    float *g = gates_of(run, b);
    add(g, run->product + b * n, n);
    activate(run, 0, g, n);
    memcpy(run->h + b * n, g, (size_t)n * sizeof(float));
}

/* Update and reset gate; what the hidden gate sees of the state unless the reset
 * comes after the product. */
static void gru_reset_row(const Recurrent *run, int64_t b)
{
    int64_t n = run->s.hidden;
    float *g = gates_of(run, b), *reset = run->reset + b * n;
    const float *r = g + n, *h = run->h + b * n;
    add(g, run->product + b * run->s.width, 2 * n);
    activate(run, 0, g, 2 * n);
    NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
        reset[i] = r[i] * h[i];
}

static void gru_row(const Recurrent *run, int64_t b)
{
    const NnTensor *bias = nn_input(run->call, 3);
    int64_t n = run->s.hidden;
    float *g = gates_of(run, b), *h = run->h + b * n, *fresh = g + 2 * n;
    const float *update = g, *r = g + n;
    float *product = run->product + b * run->s.width + 2 * n;
    if (run->p->linear_before_reset) {
        if (bias)
            add(product, (const float *)bias->data + run->direction * 6 * n + 5 * n, n);
        NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
            product[i] *= r[i];
    }
    add(fresh, product, n);
    activate(run, 1, fresh, n);
    NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
        h[i] = (1 - update[i]) * fresh[i] + update[i] * h[i];
}

static void add_peephole(const Recurrent *run, int which, float *gate, const float *c)
{
    const NnTensor *peepholes = nn_input(run->call, 7);
    int64_t n = run->s.hidden;
    if (!peepholes)
        return;
    const float *p = (const float *)peepholes->data + (run->direction * 3 + which) * n;
    NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
        gate[i] += p[i] * c[i];
}

static void lstm_row(const Recurrent *run, int64_t b)
{
    int64_t n = run->s.hidden;
    float *in = gates_of(run, b), *out = in + n, *forget = in + 2 * n, *fresh = in + 3 * n;
    float *c = run->c + b * n, *h = run->h + b * n;
    add(in, run->product + b * run->s.width, run->s.width);
    add_peephole(run, 0, in, c);
    add_peephole(run, 2, forget, c);
    activate(run, 0, in, n);
    activate(run, 0, forget, n);
    activate(run, 1, fresh, n);
    NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
        c[i] = (run->p->input_forget ? 1 - in[i] : forget[i]) * c[i] + in[i] * fresh[i];
    add_peephole(run, 1, out, c);
    activate(run, 0, out, n);
    memcpy(fresh, c, (size_t)n * sizeof(float));
    activate(run, 2, fresh, n);
    NN_INDEPENDENT for (int64_t i = 0; i < n; i++)
        h[i] = out[i] * fresh[i];
}

static void each_row(Recurrent *run, void (*row)(const Recurrent *run, int64_t b))
{
    for (int64_t b = 0; b < run->s.batch; b++)
        if (run->step < length_of(run, b))
            row(run, b);
}

static void do_step(Recurrent *run)
{
    const RecurrentParams *p = run->p;
    bool split = p->kind == GRU && !p->linear_before_reset;
    multiply(run, run->h, 0, split ? 2 : p->gates);
    if (p->kind == GRU)
        each_row(run, gru_reset_row);
    if (split)
        multiply(run, run->reset, 2, 1);
    each_row(run, p->kind == RNN ? rnn_row : p->kind == GRU ? gru_row : lstm_row);
    each_row(run, put_output);
}

/* Between the state of the call and a tensor of states. */
static void load_state(const Recurrent *run, size_t input, float *state)
{
    const NnTensor *t = nn_input(run->call, input);
    size_t bytes = (size_t)run->s.hidden * sizeof(float);
    for (int64_t b = 0; b < run->s.batch; b++) {
        if (t)
            memcpy(state + b * run->s.hidden, (const float *)t->data + state_offset(run, b), bytes);
        else
            memset(state + b * run->s.hidden, 0, bytes);
    }
}

static void store_state(const Recurrent *run, size_t output, const float *state)
{
    NnTensor *t = nn_output(run->call, output);
    for (int64_t b = 0; t && b < run->s.batch; b++)
        memcpy((float *)t->data + state_offset(run, b), state + b * run->s.hidden,
               (size_t)run->s.hidden * sizeof(float));
}

/* Y is zero behind the end of a sequence. */
static void clear_rest(const Recurrent *run)
{
    NnTensor *y = nn_output(run->call, 0);
    for (int64_t b = 0; y && b < run->s.batch; b++)
        for (int64_t t = length_of(run, b); t < run->s.steps; t++)
            memset((float *)y->data + output_offset(run, t, b), 0,
                   (size_t)run->s.hidden * sizeof(float));
}

static void run_direction(Recurrent *run, const float *weights, void *scratch)
{
    project(run, weights, scratch);
    load_state(run, 5, run->h);
    load_state(run, 6, run->c);
    for (run->step = 0; run->step < run->s.steps; run->step++)
        do_step(run);
    clear_rest(run);
    store_state(run, 1, run->h);
    store_state(run, 2, run->c);
}

static int check_lengths(const NnCall *call, const Shape *s)
{
    const NnTensor *lengths = nn_input(call, 4);
    for (int64_t b = 0; lengths && b < s->batch; b++) {
        int32_t length = ((const int32_t *)lengths->data)[b];
        if (length < 0 || length > s->steps)
            return nn_error_set(call->error, -EDOM, "sequence %lld has the length %d of %lld",
                                (long long)b, (int)length, (long long)s->steps);
    }
    return 0;
}

static int recurrent_run(const NnCall *call)
{
    const RecurrentParams *p = call->params;
    Recurrent run = { .call = call, .p = p, .s = get_shape(call) };
    float *packed;
    int r = check_lengths(call, &run.s);
    if (r < 0)
        return r;
    size_t used = lay_out(&run, call->scratch, &packed);
    for (int d = 0; d < p->directions; d++) {
        run.direction = d;
        run.reverse = p->reverse || d == 1;
        if (!call->state)
            pack_recurrent(call, d, packed);
        run.packed =
            call->state ? state_packed(call) + (size_t)d * packed_floats(p, &run.s) : packed;
        run_direction(&run, call->state ? state_weights(call) : call->in[1]->data,
                      (char *)call->scratch + used);
    }
    return 0;
}

static uint64_t recurrent_flops(const NnCall *call)
{
    const RecurrentParams *p = call->params;
    Shape s = get_shape(call);
    return (uint64_t)2 * (uint64_t)(p->directions * s.steps * s.batch * s.width) *
           (uint64_t)(s.input + s.hidden);
}

#define RECURRENT_OP(symbol, name, inputs, outputs)     \
    const NnOp nn_op_##symbol = {                       \
        .type = name,                                   \
        .domain = "",                                   \
        .since = 7,                                     \
        .min_inputs = 3,                                \
        .max_inputs = inputs,                           \
        .max_outputs = outputs,                         \
        .params_bytes = sizeof(RecurrentParams),        \
        .prepare = symbol##_prepare,                    \
        .infer = recurrent_infer,                       \
        .create = recurrent_create,                     \
        .check_state = recurrent_check_state,           \
        .scratch = recurrent_scratch,                   \
        .run = recurrent_run,                           \
        .flops = recurrent_flops,                       \
    };

RECURRENT_OP(rnn, "RNN", 6, 2)
RECURRENT_OP(gru, "GRU", 6, 2)
RECURRENT_OP(lstm, "LSTM", 8, 3)
