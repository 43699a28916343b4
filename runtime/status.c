/* Status names and the thread's last error. The message is formatted where the error is first known;
 * everybody else passes the status on (IVL_TRY). */
#include <ivl/backend.h>

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char last_error[1024];

const char *ivl_last_error(void) { return last_error; }

ivl_status ivl_fail(ivl_status s, const char *file, int line, const char *fmt, ...)
{
    (void)file, (void)line; /* kept in the signature for the debugger */
    va_list ap;
    va_start(ap, fmt);
    char message[sizeof last_error]; /* an argument may be the previous message */
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    snprintf(last_error, sizeof last_error, "%s", message);
    return s;
}

const char *ivl_status_name(ivl_status s)
{
    static const char *const name[] = { "OK", "ENOMEM", "EINVAL", "ESHAPE", "EUNSUPPORTED",
                                        "EDEVICE", "EIO", "EFORMAT", "ECOMM" };
    int i = -(int)s;
    return i >= 0 && i < (int)(sizeof name / sizeof *name) ? name[i] : "unknown status";
}

const char *ivl_version(void) { return IVL_VERSION_STRING; }
