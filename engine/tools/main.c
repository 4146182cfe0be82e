/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "tool.h"
#include "version.h"

static const char usage[] =
    "Usage: plated-nn COMMAND [MODEL] [OPTIONS]\n"
    "\n"
    "  inspect MODEL   operators, shapes, parameters, FLOPs, zeros by layer\n"
    "  run MODEL       runs once: --input NAME=FILE.npy … --output-dir DIR\n"
    "  verify MODEL    runs once and compares: --input …, --expect NAME=FILE.npy …\n"
    "                  [--rtol R] [--atol A]\n"
    "  bench MODEL     load time, time and memory of an inference\n"
    "  profile MODEL   time, GFLOP/s, share of the peak and bytes of each operator\n"
    "  compile MODEL OUT.nnp  a file for this processor that loads at once\n"
    "  convert MODEL DIR  writes it as NNEF 1.0 into a new directory and reads it back\n"
    "  ops             the operators the engine has: domain, type, first opset, flags\n"
    "\n"
    "  --shape NAME=1x3x640x640   shape of an input that the file leaves open\n"
    "  --dim NAME=2               size of an open dimension by its name in the file\n"
    "  --threads N                default: one for each processor\n"
    "  --pin                      each thread on a processor of its own\n"
    "  --isa NAME                 at most this instruction set: c, neon, avx2, avx512\n"
    "  --iters N, --warmup N      inferences that bench measures (50) and does before (5)\n"
    "  --exact                    convolutions as plain sums, no Winograd\n"
    "  --tune                     measure the algorithm of each convolution, not estimate it\n"
    "  --marks                    bench: the estimator's markers around one inference\n"
    "  --json                     one JSON line\n"
    "  --version, --help\n";

static int add_named(Named *list, size_t *n, char *argument)
{
    char *equals = strchr(argument, '=');

    if (!equals || equals == argument || *n == TOOL_NAMED_MAX) {
        fprintf(stderr, "plated-nn: '%s' is not NAME=VALUE, or there are too many\n", argument);
        return -EINVAL;
    }
    *equals = '\0';
    list[(*n)++] = (Named){ .name = argument, .value = equals + 1 };
    return 0;
}

int tool_parse_int(const char *text, int min, int max, int *ret)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max) {
        fprintf(stderr, "plated-nn: '%s' is not a number from %d to %d\n", text, min, max);
        return -EINVAL;
    }
    *ret = (int)v;
    return 0;
}

static int parse_double(const char *text, double *ret)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end || !(v >= 0)) {
        fprintf(stderr, "plated-nn: '%s' is not a tolerance\n", text);
        return -EINVAL;
    }
    *ret = v;
    return 0;
}

/* 1: done, nothing to run. */
static int parse_options(int argc, char **argv, Options *options)
{
    enum {
        INPUT = 256,
        EXPECT,
        SHAPE,
        DIM,
        OUTPUT_DIR,
        THREADS,
        PIN,
        ISA,
        ITERS,
        WARMUP,
        EXACT, TUNE, MARKS,
        JSON,
        RTOL,
        ATOL,
        VERSION,
        HELP
    };
    static const struct option longopts[] = {
        { "input", required_argument, NULL, INPUT },
        { "expect", required_argument, NULL, EXPECT },
        { "shape", required_argument, NULL, SHAPE },
        { "dim", required_argument, NULL, DIM },
        { "output-dir", required_argument, NULL, OUTPUT_DIR },
        { "threads", required_argument, NULL, THREADS },
        { "pin", no_argument, NULL, PIN },
        { "isa", required_argument, NULL, ISA },
        { "iters", required_argument, NULL, ITERS },
        { "warmup", required_argument, NULL, WARMUP },
        { "exact", no_argument, NULL, EXACT },
        { "tune", no_argument, NULL, TUNE },
        { "marks", no_argument, NULL, MARKS },
        { "json", no_argument, NULL, JSON },
        { "rtol", required_argument, NULL, RTOL },
        { "atol", required_argument, NULL, ATOL },
        { "version", no_argument, NULL, VERSION },
        { "help", no_argument, NULL, HELP },
        { 0 },
    };
    int c, r = 0;

    while (r == 0 && (c = getopt_long(argc, argv, "h", longopts, NULL)) >= 0) {
        switch (c) {
        case INPUT: r = add_named(options->inputs, &options->n_inputs, optarg); break;
        case EXPECT: r = add_named(options->expects, &options->n_expects, optarg); break;
        case SHAPE: r = add_named(options->shapes, &options->n_shapes, optarg); break;
        case DIM: r = add_named(options->dims, &options->n_dims, optarg); break;
        case OUTPUT_DIR: options->output_dir = optarg; break;
        case THREADS: r = tool_parse_int(optarg, 1, 64, &options->threads); break;
        case PIN: options->pin = true; break;
        case ISA: options->isa = optarg; break;
        case ITERS: r = tool_parse_int(optarg, 1, 1000000, &options->iterations); break;
        case WARMUP: r = tool_parse_int(optarg, 0, 1000000, &options->warmup); break;
        case EXACT: options->exact = true; break;
        case TUNE: options->tune = true; break;
        case MARKS: options->marks = true; break;
        case JSON: options->json = true; break;
        case RTOL: r = parse_double(optarg, &options->rtol); break;
        case ATOL: r = parse_double(optarg, &options->atol); break;
        case VERSION: puts("plated-nn " PLATED_VERSION); return 1;
        case 'h':
        case HELP: fputs(usage, stdout); return 1;
        default: return -EINVAL;
        }
    }
    return r;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const Options *options);
        int n_arguments;
    } commands[] = {
        { "inspect", cmd_inspect, 1 }, { "run", cmd_run, 1 },         { "verify", cmd_verify, 1 },
        { "bench", cmd_bench, 1 },     { "profile", cmd_profile, 1 }, { "ops", cmd_ops, 0 },
        { "convert", cmd_convert, 2 }, { "compile", cmd_compile, 2 },
    };
    Options options = { .iterations = 50, .warmup = 5, .rtol = 1e-4, .atol = 1e-5 };
    int r;

    r = parse_options(argc, argv, &options);
    if (r > 0)
        return EXIT_SUCCESS;
    if (r < 0)
        return EXIT_FAILURE;
    if (optind == argc) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    options.model = optind + 1 < argc ? argv[optind + 1] : NULL;
    if (optind + 2 < argc)
        options.output_dir = options.out = argv[optind + 2];
    for (size_t i = 0; i < NN_ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, argv[optind]) != 0)
            continue;
        if (argc - optind - 1 == commands[i].n_arguments)
            return commands[i].run(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    fprintf(stderr, "plated-nn: '%s' is no command, see plated-nn --help\n", argv[optind]);
    return EXIT_FAILURE;
}
