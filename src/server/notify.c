#include "server/notify.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum supervised notify_supervisor(enum supervised wish) {
    if (wish == SUPERVISED_AUTO) {
        if (getenv("UPSTART_JOB"))
            wish = SUPERVISED_UPSTART;
        else if (getenv("NOTIFY_SOCKET"))
            wish = SUPERVISED_SYSTEMD;
        else
            wish = SUPERVISED_NO;
    }
    if (wish == SUPERVISED_SYSTEMD && !getenv("NOTIFY_SOCKET")) {
        log_warning("supervised systemd, but NOTIFY_SOCKET is not set: nobody is told when this is ready");
        return SUPERVISED_NO;
    }
    if (wish == SUPERVISED_UPSTART) {
        if (!getenv("UPSTART_JOB")) {
            log_warning("supervised upstart, but UPSTART_JOB is not set: this is not a job of upstart's");
            return SUPERVISED_NO;
        }
        unsetenv("UPSTART_JOB");
        raise(SIGSTOP); /* upstart waits for this, then continues us */
    }
    return wish;
}

static void tell(const char *text) {
    int rc = sd_notify(0, text);
    if (rc < 0) log_warning("Cannot notify systemd: %s", strerror(-rc));
}

void notify_ready(const char *status) {
    char text[512];
    snprintf(text, sizeof text, "READY=1\nSTATUS=%s\n", status);
    tell(text);
}

void notify_status(const char *format, ...) {
    char text[512] = "STATUS=";
    va_list args;
    va_start(args, format);
    vsnprintf(text + strlen(text), sizeof text - strlen(text), format, args);
    va_end(args);
    tell(text);
}

void notify_reloading(void) {
    char text[96];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", clock_mono_us());
    tell(text);
}

void notify_stopping(void) { tell("STOPPING=1\nSTATUS=Shutting down\n"); }

int notify_sockets(int *first) {
    *first = SD_LISTEN_FDS_START;
    return sd_listen_fds(0);
}
