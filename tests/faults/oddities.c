/* Loaded before the C library: below the folder $ODD_FOLDER files cannot be mapped, fsync takes half a second and there are no locks. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int is_odd(int file)
{
    char link[64], path[PATH_MAX];
    const char *folder = getenv("ODD_FOLDER");
    if (!folder || file < 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

static void note(char what)
{
    const char *ledger = getenv("ODD_LEDGER");
    FILE *file = ledger ? fopen(ledger, "a") : NULL;
    if (file) {
        fputc(what, file);
        fclose(file);
    }
}

void *mmap64(void *address, size_t length, int protection, int flags, int file, off64_t offset)
{
    if (is_odd(file)) {
        note('m');
        errno = ENODEV;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    return mmap64(address, length, protection, flags, file, offset);
}

int fsync(int file)
{
    if (is_odd(file)) {
        struct timespec half = {0, 500000000};
        note('s');
        nanosleep(&half, NULL);
    }
    return syscall(SYS_fsync, file);
}

int flock(int file, int operation)
{
    if (is_odd(file)) {
        note('l');
        errno = ENOLCK;
        return -1;
    }
    return syscall(SYS_flock, file, operation);
}
