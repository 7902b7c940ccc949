/* Keeps what a power failure leaves in the worst case: after each sync of a journal (.db) or of its log (-wal), what is in that file
 * is copied into the folder DURABLE. A journal is read through the descriptor that was synced: SQLite's locks on it go when any
 * descriptor of it is closed. A log has no locks, and may have been opened for writing only. A copy that fails ends the process: a test
 * without it would prove nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void must(int fine, const char *what) {
    if (!fine) {
        perror(what);
        abort();
    }
}

static int ends(const char *text, const char *end) {
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void keep(int fd) {
    static char bytes[1 << 16];
    const char *folder = getenv("DURABLE");
    char self[64], path[PATH_MAX], part[2 * PATH_MAX], copy[2 * PATH_MAX];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(self, path, sizeof path - 1), got = 0;
    must(length > 0 && folder != NULL, self);
    path[length] = '\0';
    if (!ends(path, ".db") && !ends(path, "-wal")) {
        return;
    }
    snprintf(copy, sizeof copy, "%s%s", folder, strrchr(path, '/'));
    snprintf(part, sizeof part, "%s/part", folder);
    pthread_mutex_lock(&one_at_a_time);
    int from = ends(path, ".db") ? fd : open(self, O_RDONLY | O_CLOEXEC);
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(from >= 0 && to >= 0, part);
    for (off_t at = 0; (got = pread(from, bytes, sizeof bytes, at)) > 0; at += got) {
        must(write(to, bytes, (size_t)got) == got, part);
    }
    must(got == 0 && close(to) == 0 && rename(part, copy) == 0 && (from == fd || close(from) == 0), copy);
    pthread_mutex_unlock(&one_at_a_time);
}

static int synced(const char *how, int fd) {
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, how);
    must(sync != NULL, how);
    int result = sync(fd);
    if (result == 0) {
        keep(fd);
    }
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }

int fdatasync(int fd) { return synced("fdatasync", fd); }
