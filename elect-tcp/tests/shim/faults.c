/* Preloaded into a process that works on a vote file: the n-th call that touches its directory fails, is cut short, or
 * is the last thing that the process does.
 *
 * SHIM_DIRECTORY  only files below it count (a prefix of their absolute path)
 * SHIM_CALL       which call, from 1
 * SHIM_MODE       eio, enospc: the call fails and does nothing
 *                 torn:        a write writes half of its bytes, then the process exits; every other call as `before`
 *                 before:      the process exits in place of the call
 *                 after:       the call is made, then the process exits
 *                 list:        nothing happens, and every call is told
 *                 nolink:      every link fails with EPERM
 *                 full:        from this call on every one that needs room fails with ENOSPC
 * Exit code 77 says that the shim ended the process. Descriptor 2 is told which call it was.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int count;

static int is_below(const char *path) {
    const char *directory = getenv("SHIM_DIRECTORY");
    return directory && path && strncmp(path, directory, strlen(directory)) == 0;
}

/* The path of an open file below the directory, or NULL. */
static const char *ours(int fd) {
    static __thread char path[PATH_MAX];
    char link[64];
    int errno_before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = fd > 2 ? readlink(link, path, sizeof path - 1) : -1;
    errno = errno_before;
    if (length < 0) return NULL;
    path[length] = 0;
    return is_below(path) ? path : NULL;
}

enum verdict { PASS, FAIL, EXIT_BEFORE, EXIT_AFTER, TEAR };

static enum verdict judge(const char *call, int needs_room) {
    const char *at = getenv("SHIM_CALL"), *mode = getenv("SHIM_MODE");
    if (!at || !mode) return PASS;
    int number = atoi(at);
    ++count;
    if (strcmp(mode, "list") == 0) {
        dprintf(2, "shim: list at %s\n", call);
        return PASS;
    }
    if (strcmp(mode, "full") == 0) {
        if (count < number || !needs_room) return PASS;
        dprintf(2, "shim: full at %s\n", call);
        errno = ENOSPC;
        return FAIL;
    }
    if (strcmp(mode, "nolink") == 0) {
        if (strcmp(call, "link") != 0) return PASS;
        dprintf(2, "shim: nolink at link\n");
        return errno = EPERM, FAIL;
    }
    if (count != number) return PASS;
    dprintf(2, "shim: %s at %s\n", mode, call);
    if (strcmp(mode, "eio") == 0) return errno = EIO, FAIL;
    if (strcmp(mode, "enospc") == 0) return errno = ENOSPC, FAIL;
    if (strcmp(mode, "after") == 0) return EXIT_AFTER;
    if (strcmp(mode, "torn") == 0) return TEAR;
    return EXIT_BEFORE;
}

#define END 77
#define AROUND(is_ours, name, room, type, call)                      \
    do {                                                             \
        enum verdict verdict = (is_ours) ? judge(#name, room) : PASS; \
        if (verdict == FAIL) return -1;                              \
        if (verdict == EXIT_BEFORE || verdict == TEAR) _exit(END);   \
        type result = call;                                          \
        if (verdict == EXIT_AFTER) _exit(END);                       \
        return result;                                               \
    } while (0)

static int open_at(const char *path, int flags, mode_t mode) {
    AROUND(is_below(path), open, (flags & O_CREAT) != 0, int, REAL(openat)(AT_FDCWD, path, flags, mode));
}

#define OPEN(name, flag)                                            \
    int name(const char *path, int flags, ...) {                    \
        va_list arguments;                                          \
        va_start(arguments, flags);                                 \
        mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0; \
        va_end(arguments);                                          \
        return open_at(path, flags | flag, mode);                   \
    }
OPEN(open, 0)
OPEN(open64, O_LARGEFILE)

ssize_t write(int fd, const void *bytes, size_t length) {
    const char *path = ours(fd);
    /* Only new files grow: the vote file has its full length. */
    enum verdict verdict = path ? judge("write", strstr(path, ".draft-") != NULL) : PASS;
    if (verdict == FAIL) return -1;
    if (verdict == EXIT_BEFORE) _exit(END);
    ssize_t written = REAL(write)(fd, bytes, verdict == TEAR ? length / 2 : length);
    if (verdict == TEAR || verdict == EXIT_AFTER) _exit(END);
    return written;
}

ssize_t read(int fd, void *bytes, size_t length) { AROUND(ours(fd), read, 0, ssize_t, REAL(read)(fd, bytes, length)); }
int flock(int fd, int how) { AROUND(ours(fd), flock, 0, int, REAL(flock)(fd, how)); }
int fsync(int fd) { AROUND(ours(fd), fsync, 0, int, REAL(fsync)(fd)); }
int fdatasync(int fd) { AROUND(ours(fd), fdatasync, 0, int, REAL(fdatasync)(fd)); }
int ftruncate64(int fd, off64_t to) { AROUND(ours(fd), ftruncate, 0, int, REAL(ftruncate64)(fd, to)); }
int rename(const char *from, const char *to) { AROUND(is_below(to), rename, 0, int, REAL(rename)(from, to)); }
int unlink(const char *path) { AROUND(is_below(path), unlink, 0, int, REAL(unlink)(path)); }
int link(const char *from, const char *to) { AROUND(is_below(to), link, 1, int, REAL(link)(from, to)); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    AROUND(is_below(to), link, 1, int, REAL(linkat)(a, from, b, to, flags));
}
