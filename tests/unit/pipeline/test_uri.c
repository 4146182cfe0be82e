/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "support.h"
#include "uri.h"

static void expect(const char *uri, LprUriKind expected, const char *expected_rest, bool live)
{
    LprUriKind kind;
    const char *rest;
    NnError error = {0};
    TEST_INT(lpr_uri_parse(uri, &kind, &rest, &error), 0);
    TEST_INT(kind, expected);
    TEST_TEXT(rest, expected_rest);
    TEST_INT(lpr_uri_is_live(kind), live);
}

static void refuse(const char *uri, const char *words)
{
    LprUriKind kind;
    const char *rest;
    NnError error = {0};
    TEST_INT(lpr_uri_parse(uri, &kind, &rest, &error), -EINVAL);
    TEST_WORDS(error.message, words);
}

static void shown(const char *uri, const char *expected)
{
    char text[64];
    lpr_uri_display(uri, text, sizeof(text));
    TEST_TEXT(text, expected);
}

int main(void)
{
    expect("v4l2:/dev/video0", LPR_URI_V4L2, "/dev/video0", true);
    expect("rtsp://cam/1", LPR_URI_RTSP, "rtsp://cam/1", true);
    expect("rtsps://cam/1", LPR_URI_RTSP, "rtsps://cam/1", true);
    expect("file:a clip.mp4", LPR_URI_FILE, "a clip.mp4", false);
    expect("file:///srv/a.mp4", LPR_URI_FILE, "/srv/a.mp4", false);
    expect("images:/srv/*.jpg", LPR_URI_IMAGES, "/srv/*.jpg", false);
    expect("test:", LPR_URI_TEST, "", true);
    expect("gst:videotestsrc ! video/x-raw", LPR_URI_GST, "videotestsrc ! video/x-raw", true);
    refuse("v4l2:", "names nothing");
    refuse("gst:", "names nothing");
    refuse("/dev/video0", "does not begin with");
    refuse("http://user:secret@cam/", "\"http://cam/\"");
    shown("rtsp://user:p@ss@cam:554/a@b", "rtsp://cam:554/a@b");
    shown("rtsp://cam/1", "rtsp://cam/1");
    shown("file:a@b", "file:a@b");
    static const int expected_s[] = {1, 2, 4, 8, 16, 30, 30};
    for (unsigned i = 0; i < 7; i++)
        TEST_INT(lpr_backoff_s(i), expected_s[i]);
    TEST_INT(lpr_backoff_s(4000000000u), 30);
    return 0;
}
