/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "engine/base/util.h"
#include "uri.h"

#define BACKOFF_MAX_S 30

static const struct {
    const char *prefix;
    LprUriKind kind;
    bool live, whole, may_be_empty;
} kinds[] = {
    {"v4l2:", LPR_URI_V4L2, true, false, false},      {"rtsp://", LPR_URI_RTSP, true, true, false},
    {"rtsps://", LPR_URI_RTSP, true, true, false},    {"file:", LPR_URI_FILE, false, false, false},
    {"images:", LPR_URI_IMAGES, false, false, false}, {"test:", LPR_URI_TEST, true, false, true},
    {"gst:", LPR_URI_GST, true, false, false},
};

int lpr_uri_parse(const char *uri, LprUriKind *ret_kind, const char **ret_rest, NnError *error)
{
    for (size_t i = 0; i < NN_ARRAY_SIZE(kinds); i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncmp(uri, kinds[i].prefix, n))
            continue;
        if (!uri[n] && !kinds[i].may_be_empty)
            return nn_error_set(error, -EINVAL, "the source \"%s\" names nothing behind \"%s\"",
                                uri, kinds[i].prefix);
        /* file:///path is what other programs write. */
        if (kinds[i].kind == LPR_URI_FILE && !strncmp(uri + n, "///", 3))
            n += 2;
        *ret_kind = kinds[i].kind;
        *ret_rest = kinds[i].whole ? uri : uri + n;
        return 0;
    }
    char shown[128];
    lpr_uri_display(uri, shown, sizeof(shown));
    return nn_error_set(error, -EINVAL,
                        "the source \"%s\" does not begin with v4l2:, rtsp://, rtsps://, file:, "
                        "images:, test: or gst:",
                        shown);
}

bool lpr_uri_is_live(LprUriKind kind)
{
    for (size_t i = 0; i < NN_ARRAY_SIZE(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].live;
    return false;
}

void lpr_uri_display(const char *uri, char *ret_text, size_t n_bytes)
{
    const char *host = strstr(uri, "://");
    const char *at = NULL;
    if (host) {
        host += 3;
        /* The password itself may hold an @. */
        for (const char *p = host; *p && *p != '/'; p++)
            if (*p == '@')
                at = p;
    }
    if (at)
        snprintf(ret_text, n_bytes, "%.*s%s", (int)(host - uri), uri, at + 1);
    else
        snprintf(ret_text, n_bytes, "%s", uri);
}

int lpr_backoff_s(unsigned attempt)
{
    int seconds = attempt < 5 ? 1 << attempt : BACKOFF_MAX_S;
    return NN_MIN(seconds, BACKOFF_MAX_S);
}
