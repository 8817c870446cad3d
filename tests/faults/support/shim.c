/*
 * Preloaded into the server by tests/faults/support/shim.rs: stands between it and the operating system.
 *
 * - FAULTS_SHIM_ROOT and FAULTS_SHIM_LOG: whatever changes files below the root is written down, in order, with its contents; so
 *   are syncs, with their begin and their end. What a power cut leaves can be worked out from that.
 * - FAULTS_SHIM_CONTROL: a file of numbers, mapped, by which the program moves the clock, makes writes and syncs fail, and has the
 *   process die before its n-th change of a file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { CREATE = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, UNLINK, RENAME, MKDIR, MARK, LINK };

struct control {
    volatile int64_t clock_offset_ns, die_before, write_error, sync_error, changes;
};

struct header {
    uint32_t kind, path_length;
    uint64_t offset, data_length;
};

#define FILES 4096
static char *paths[FILES];
static const char *root, *counted;
static size_t root_length;
static int log_fd = -1;
static struct control nobody, *control = &nobody;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void start(void) {
    root = getenv("FAULTS_SHIM_ROOT");
    root_length = root ? strlen(root) : 0;
    counted = getenv("FAULTS_SHIM_COUNTED");
    const char *name = getenv("FAULTS_SHIM_LOG");
    if (name) log_fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    name = getenv("FAULTS_SHIM_CONTROL");
    int fd = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd >= 0) {
        void *map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) control = map;
        syscall(SYS_close, fd);
    }
}

#define REAL(type, name) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)

/* SQLite's index of the log is memory that processes share: it is made anew after a crash. */
static int is_watched(const char *path) {
    size_t length = path ? strlen(path) : 0;
    if (!root || strncmp(path, root, root_length) != 0) return 0;
    return length < 4 || strcmp(path + length - 4, "-shm") != 0;
}

static const char *path_of(int fd) { return fd >= 0 && fd < FILES ? paths[fd] : NULL; }

static void put(enum kind kind, const char *path, uint64_t offset, const void *data, size_t length) {
    if (log_fd < 0) return;
    struct header header = {kind, (uint32_t)strlen(path), offset, length};
    struct iovec parts[3] = {{&header, sizeof header}, {(void *)path, header.path_length}, {(void *)data, length}};
    if (syscall(SYS_writev, log_fd, parts, 3) < 0) abort();
}

/* Before each change of a watched file; holds the lock from then on. */
static void enter(const char *path) {
    pthread_mutex_lock(&one);
    if (counted && !strstr(path, counted)) return;
    if (++control->changes == control->die_before) kill(getpid(), SIGKILL);
}
static void leave(void) {
    int kept = errno;
    pthread_mutex_unlock(&one);
    errno = kept;
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if (!is_watched(path)) return real(path, flags, mode);
    int creates = (flags & O_CREAT) && access(path, F_OK) != 0;
    int changes = creates || (flags & O_TRUNC);
    if (changes) enter(path); else pthread_mutex_lock(&one);
    int fd = real(path, flags, mode);
    if (fd >= 0 && fd < FILES) {
        free(paths[fd]);
        paths[fd] = strdup(path);
        if (creates) put(CREATE, path, 0, NULL, 0);
        else if (flags & O_TRUNC) put(TRUNCATE, path, 0, NULL, 0);
    }
    leave();
    return fd;
}

#define MODE(flags) mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
typedef int (*open_function)(const char *, int, ...);
int open(const char *path, int flags, ...) { REAL(open_function, "open"); MODE(flags) return opened(real, path, flags, mode); }
int open64(const char *path, int flags, ...) { REAL(open_function, "open64"); MODE(flags) return opened(real, path, flags, mode); }

int close(int fd) {
    if (path_of(fd)) {
        pthread_mutex_lock(&one);
        free(paths[fd]);
        paths[fd] = NULL;
        leave();
    }
    return (int)syscall(SYS_close, fd);
}

static int fails(volatile int64_t *error) {
    if (!*error) return 0;
    errno = (int)*error;
    return 1;
}

static ssize_t written(int fd, const void *data, size_t length, off_t offset, int moves) {
    ssize_t done = -1;
    enter(path_of(fd));
    if (moves) offset = lseek(fd, 0, SEEK_CUR);
    if (!fails(&control->write_error)) {
        done = moves ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, offset);
        if (done > 0) put(WRITE, path_of(fd), (uint64_t)offset, data, (size_t)done);
    }
    leave();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return path_of(fd) ? written(fd, data, length, offset, 0) : syscall(SYS_pwrite64, fd, data, length, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return pwrite(fd, data, length, offset); }
ssize_t write(int fd, const void *data, size_t length) {
    return path_of(fd) ? written(fd, data, length, 0, 1) : syscall(SYS_write, fd, data, length);
}

int ftruncate(int fd, off_t length) {
    if (!path_of(fd)) return (int)syscall(SYS_ftruncate, fd, length);
    int done = -1;
    enter(path_of(fd));
    if (!fails(&control->write_error) && (done = (int)syscall(SYS_ftruncate, fd, length)) == 0)
        put(TRUNCATE, path_of(fd), (uint64_t)length, NULL, 0);
    leave();
    return done;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

/* Others go on writing while a sync runs, and it says nothing of what they wrote since it began. */
static int synced(int fd, long call) {
    const char *path = path_of(fd);
    if (!path) return (int)syscall(call, fd);
    static uint64_t number;
    enter(path);
    uint64_t own = ++number;
    put(SYNC_BEGIN, path, own, NULL, 0);
    leave();
    if (fails(&control->sync_error)) return -1;
    int done = (int)syscall(call, fd);
    if (done == 0) {
        pthread_mutex_lock(&one);
        put(SYNC_END, path, own, NULL, 0);
        leave();
    }
    return done;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int named(enum kind kind, const char *path, const char *other, int (*change)(const char *, const char *)) {
    if (!is_watched(path)) return change(path, other);
    enter(path);
    int done = change(path, other);
    if (done == 0) put(kind, path, 0, other, other ? strlen(other) : 0);
    leave();
    return done;
}
static int do_unlink(const char *path, const char *none) { (void)none; return (int)syscall(SYS_unlink, path); }
static int do_rename(const char *path, const char *other) { return (int)syscall(SYS_rename, path, other); }
static int do_link(const char *path, const char *other) { return (int)syscall(SYS_link, path, other); }
int unlink(const char *path) { return named(UNLINK, path, NULL, do_unlink); }
int rename(const char *path, const char *other) { return named(RENAME, path, other, do_rename); }
int link(const char *path, const char *other) { return named(LINK, path, other, do_link); }
int linkat(int from, const char *path, int to, const char *other, int flags) {
    if (is_watched(path)) return link(path, other);
    return (int)syscall(SYS_linkat, from, path, to, other, flags);
}
int mkdir(const char *path, mode_t mode) {
    if (!is_watched(path)) return (int)syscall(SYS_mkdir, path, mode);
    enter(path);
    int done = (int)syscall(SYS_mkdir, path, mode);
    if (done == 0) put(MKDIR, path, 0, NULL, 0);
    leave();
    return done;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = (int)syscall(SYS_clock_gettime, clock, now);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t all = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + control->clock_offset_ns;
        now->tv_sec = all / 1000000000;
        now->tv_nsec = all % 1000000000;
    }
    return done;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *into) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (into) *into = exact.tv_sec;
    return exact.tv_sec;
}
