/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "source.h"
#include "support.h"

/* What a source told, and the wish to be woken when it told enough. */
typedef struct Log {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t frames, wanted_frames;
    int64_t first_us, last_us;
    int width, height;
    int brightest;
    unsigned n_states[5];
    LprSourceState last;
    char sentence[512];
} Log;

static void take_frame(void *userdata, LprFrame *frame)
{
    Log *log = userdata;
    int stride;
    const uint8_t *luma = lpr_frame_luma(frame, &stride);
    pthread_mutex_lock(&log->lock);
    TEST_INT(lpr_frame_sequence(frame), log->frames);
    if (log->frames)
        TEST_TRUE(lpr_frame_time_us(frame) > log->last_us);
    else
        log->first_us = lpr_frame_time_us(frame);
    log->last_us = lpr_frame_time_us(frame);
    log->width = lpr_frame_width(frame);
    log->height = lpr_frame_height(frame);
    for (int x = 0; x < log->width; x++)
        log->brightest = luma[x] > log->brightest ? luma[x] : log->brightest;
    log->frames++;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->lock);
}

static void take_state(void *userdata, LprSourceState state, const char *sentence)
{
    Log *log = userdata;
    pthread_mutex_lock(&log->lock);
    log->n_states[state]++;
    log->last = state;
    snprintf(log->sentence, sizeof(log->sentence), "%s", sentence);
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->lock);
}

static LprSource *start(Log *log, const char *uri, const LprSourceOptions *options)
{
    LprSource *source;
    NnError error = {0};
    *log = (Log){0};
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->changed, NULL);
    TEST_INT(lpr_source_new(uri, options, take_frame, take_state, log, &source, &error), 0);
    if (lpr_source_start(source, &error) < 0)
        TEST_FAIL("%s", error.message);
    return source;
}

/* Until that many frames came, or the state was told that often. */
static void wait_for(Log *log, size_t frames, LprSourceState state, unsigned times)
{
    pthread_mutex_lock(&log->lock);
    while ((frames && log->frames < frames) || (times && log->n_states[state] < times))
        pthread_cond_wait(&log->changed, &log->lock);
    pthread_mutex_unlock(&log->lock);
}

static void test_pattern(void)
{
    Log log;
    LprSourceOptions options = {.width_px = 320, .height_px = 240, .fps = 50};
    LprSource *source = start(&log, "test:", &options);
    TEST_TRUE(lpr_source_is_live(source));
    wait_for(&log, 5, 0, 0);
    lpr_source_stop(source);
    TEST_INT(log.width, 320);
    TEST_INT(log.height, 240);
    TEST_INT(log.n_states[LPR_SOURCE_PLAYING], 1);
    TEST_INT(log.n_states[LPR_SOURCE_LOST], 0);
    /* Video black and white come out as 0 and 255. */
    TEST_TRUE(log.brightest >= 185);
    /* Once more, and the numbers go on. */
    size_t frames = log.frames;
    NnError error;
    TEST_INT(lpr_source_start(source, &error), 0);
    TEST_INT(lpr_source_start(source, &error), -EBUSY);
    wait_for(&log, frames + 2, 0, 0);
    lpr_source_free(source);
}

static void test_white(void)
{
    Log log;
    LprSource *source = start(&log,
                              "gst:videotestsrc pattern=white num-buffers=3 ! "
                              "video/x-raw,format=I420,width=64,height=48,framerate=10/1",
                              NULL);
    wait_for(&log, 0, LPR_SOURCE_ENDED, 1);
    lpr_source_free(source);
    TEST_TRUE(log.frames >= 1);
    TEST_TRUE(log.brightest >= 254);
}

/* A clip keeps its own time when it runs as fast as it can. */
static void make_clip(const char *path)
{
    Log log;
    char uri[512];
    /* The encoder is always there; the branch beside writes the clip. */
    snprintf(uri, sizeof(uri),
             "gst:videotestsrc num-buffers=20 ! video/x-raw,width=64,height=48,framerate=10/1 ! "
             "tee name=t ! queue ! jpegenc ! avimux ! filesink location=\"%s\" t. ! queue",
             path);
    LprSource *source = start(&log, uri, NULL);
    wait_for(&log, 0, LPR_SOURCE_ENDED, 1);
    lpr_source_free(source);
}

static void test_clip(void)
{
    char path[] = "/tmp/test source XXXXXX", uri[64];
    int fd = mkstemp(path);
    TEST_TRUE(fd >= 0);
    close(fd);
    make_clip(path);
    snprintf(uri, sizeof(uri), "file:%s", path);
    Log log;
    LprSource *source = start(&log, uri, NULL);
    TEST_TRUE(!lpr_source_is_live(source));
    wait_for(&log, 0, LPR_SOURCE_ENDED, 1);
    lpr_source_free(source);
    TEST_INT(log.frames, 20);
    TEST_NEAR((double)(log.last_us - log.first_us), 1.9e6, 2e4);

    LprSourceOptions options = {.fps = 2};
    source = start(&log, uri, &options);
    wait_for(&log, 0, LPR_SOURCE_ENDED, 1);
    lpr_source_free(source);
    TEST_INT(log.frames, 4);

    options = (LprSourceOptions){.loop = true, .width_px = 96, .height_px = 96};
    source = start(&log, uri, &options);
    wait_for(&log, 45, LPR_SOURCE_ENDED, 0);
    lpr_source_free(source);
    TEST_INT(log.n_states[LPR_SOURCE_ENDED], 0);
    TEST_INT(log.width, 96);
    TEST_INT(log.height, 96);
    unlink(path);
}

static void test_failures(void)
{
    Log log;
    LprSource *source = start(&log, "file:/nonexistent/clip.mp4", NULL);
    wait_for(&log, 0, LPR_SOURCE_FAILED, 1);
    lpr_source_free(source);
    TEST_WORDS(log.sentence, "/nonexistent/clip.mp4 cannot be read");

    source = start(&log, "file:/proc/self/status", NULL);
    wait_for(&log, 0, LPR_SOURCE_FAILED, 1);
    lpr_source_free(source);
    TEST_WORDS(log.sentence, "/proc/self/status");

    source = start(&log, "images:/nonexistent/*.jpg", NULL);
    wait_for(&log, 0, LPR_SOURCE_FAILED, 1);
    lpr_source_free(source);
    TEST_WORDS(log.sentence, "no picture matches /nonexistent/*.jpg");

    NnError error = {0};
    TEST_INT(lpr_source_new("gst:nosuchelement ! nothing", NULL, take_frame, take_state, &log,
                            &source, &error),
             0);
    TEST_INT(lpr_source_start(source, &error), -ENOTSUP);
    TEST_WORDS(error.message, "nosuchelement");
    lpr_source_free(source);
}

/* A camera that is not there is tried again; stopping does not wait for that. */
static void test_lost(void)
{
    Log log;
    LprSource *source = start(&log, "v4l2:/dev/video-none", NULL);
    wait_for(&log, 0, LPR_SOURCE_LOST, 2);
    lpr_source_free(source);
    TEST_WORDS(log.sentence, "/dev/video-none");
    TEST_INT(log.n_states[LPR_SOURCE_FAILED], 0);
}

/* A live pipeline that ends is lost, comes back, and falls silent. */
static void test_live_end_and_silence(void)
{
    Log log;
    LprSource *source = start(&log,
                              "gst:videotestsrc is-live=true num-buffers=2 ! "
                              "video/x-raw,width=64,height=48,framerate=50/1",
                              NULL);
    wait_for(&log, 3, LPR_SOURCE_LOST, 1);
    lpr_source_free(source);
    TEST_TRUE(log.n_states[LPR_SOURCE_PLAYING] >= 2);

    LprSourceOptions options = {.silence_us = 1000};
    source = start(&log,
                   "gst:videotestsrc is-live=true ! "
                   "video/x-raw,width=64,height=48,framerate=1/10 ! valve drop=true",
                   &options);
    wait_for(&log, 0, LPR_SOURCE_LOST, 1);
    lpr_source_free(source);
    TEST_WORDS(log.sentence, "gave no picture");
}

static void choose(const char *offered, LprSourceOptions options, const char *words,
                   const char *more)
{
    char *caps = NULL;
    TEST_INT(lpr_camera_choose(offered, &options, &caps), 0);
    TEST_WORDS(caps, words);
    TEST_WORDS(caps, more);
    free(caps);
}

static void test_formats(void)
{
    /* A webcam as they are: raw video is slow when large. */
    static const char webcam[] =
        "video/x-raw,format=YUY2,width=1280,height=720,framerate={(fraction)10/1,(fraction)5/1};"
        "video/x-raw,format=YUY2,width=640,height=480,framerate={(fraction)30/1,(fraction)15/1};"
        "image/jpeg,width=1920,height=1080,framerate=(fraction)30/1;"
        "image/jpeg,width=1280,height=720,framerate={(fraction)30/1,(fraction)15/1};"
        "video/x-h264,width=1280,height=720,framerate=30/1";
    choose(webcam, (LprSourceOptions){0}, "image/jpeg", "width=(int)1280");
    choose(webcam, (LprSourceOptions){0}, "height=(int)720", "framerate=(fraction)30/1");
    choose(webcam, (LprSourceOptions){.fps = 8}, "video/x-raw", "framerate=(fraction)10/1");
    choose(webcam, (LprSourceOptions){.fps = 12}, "image/jpeg", "framerate=(fraction)15/1");
    choose(webcam, (LprSourceOptions){.width_px = 640, .height_px = 480}, "video/x-raw",
           "width=(int)640");
    choose(webcam, (LprSourceOptions){.width_px = 1920, .height_px = 1080}, "image/jpeg",
           "width=(int)1920");
    /* The camera port of the Pi offers ranges. */
    static const char ranges[] = "video/x-raw,format={YUY2,I420},width=[32,3280,2],"
                                 "height=[32,2464,2],framerate=[1/1,90/1]";
    choose(ranges, (LprSourceOptions){0}, "width=(int)1280", "framerate=(fraction)30/1");
    choose(ranges, (LprSourceOptions){.fps = 200}, "height=(int)720", "framerate=(fraction)90/1");
    /* Only larger ones: the smallest of them. */
    choose("image/jpeg,width=3840,height=2160,framerate=30/1;"
           "image/jpeg,width=1920,height=1080,framerate=30/1",
           (LprSourceOptions){0}, "width=(int)1920", "image/jpeg");
    char *caps = NULL;
    LprSourceOptions options = {0};
    TEST_INT(lpr_camera_choose("video/x-bayer,width=640,height=480", &options, &caps), -ENOTSUP);
    TEST_INT(lpr_camera_choose("EMPTY", &options, &caps), -ENOTSUP);
}

int main(void)
{
    test_formats();
    test_pattern();
    test_white();
    test_clip();
    test_failures();
    test_lost();
    test_live_end_and_silence();
    return 0;
}
