#include "faulty_disk.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

/* Folders and their plans: each test has a folder of its own. */
typedef struct {
    char folder[512];
    faulty_disk_plan plan;
} entry;

enum { most_entries = 256, most_files = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static entry entries[most_entries];
static int entry_count;
/* The files that have a synced copy, by their paths. */
static char *synced[most_files];
static int synced_count;
static sqlite3_vfs vfs;
static sqlite3_vfs *root;
static atomic_long kill_after = -1;

typedef struct {
    sqlite3_file base;
    char path[640];
    /* SQLite's own file, behind this. */
    sqlite3_file *real;
} file;

static file *of(sqlite3_file *base) { return (file *)base; }

/* With the lock held. */
static faulty_disk_plan *plan_of(const char *path) {
    for (int index = 0; index < entry_count; index++) {
        if (strncmp(path, entries[index].folder, strlen(entries[index].folder)) == 0) return &entries[index].plan;
    }
    return NULL;
}

static faulty_disk_plan current(const char *path) {
    faulty_disk_plan none = {0};
    pthread_mutex_lock(&lock);
    faulty_disk_plan *plan = plan_of(path);
    faulty_disk_plan result = plan ? *plan : none;
    pthread_mutex_unlock(&lock);
    return result;
}

static void step(void) {
    if (atomic_load(&kill_after) < 0) return;
    if (atomic_fetch_sub(&kill_after, 1) == 0) kill(getpid(), SIGKILL);
}

/* Keeps what a file holds now. Read through SQLite's own descriptor: to close another of the same file would let go of its locks. */
static void keep_synced(file *self) {
    char name[700];
    snprintf(name, sizeof name, "%s.synced", self->path);
    sqlite3_int64 size = 0;
    if (self->real->pMethods->xFileSize(self->real, &size) != SQLITE_OK) return;
    pthread_mutex_lock(&lock);
    FILE *copy = fopen(name, "w");
    char *bytes = malloc(65536);
    for (sqlite3_int64 offset = 0; copy && offset < size;) {
        int count = (int)(size - offset < 65536 ? size - offset : 65536);
        if (self->real->pMethods->xRead(self->real, bytes, count, offset) != SQLITE_OK) break;
        fwrite(bytes, 1, (size_t)count, copy);
        offset += count;
    }
    free(bytes);
    if (copy) fclose(copy);
    int known = 0;
    for (int index = 0; index < synced_count;) {
        known |= strcmp(synced[index], self->path) == 0;
        if (access(synced[index], F_OK) == 0) {
            index++;
            continue;
        }
        /* To sync a file makes removals that came before it last, in a journal as file systems have them. */
        free(synced[index]);
        synced[index] = synced[--synced_count];
    }
    if (!known && synced_count < most_files) synced[synced_count++] = strdup(self->path);
    pthread_mutex_unlock(&lock);
}

/* The methods of a file. */

static int file_close(sqlite3_file *base) {
    file *self = of(base);
    return self->real->pMethods ? self->real->pMethods->xClose(self->real) : SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset) {
    return of(base)->real->pMethods->xRead(of(base)->real, bytes, count, offset);
}

static int file_write(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset) {
    file *self = of(base);
    step();
    int code = current(self->path).writes;
    return code ? code : self->real->pMethods->xWrite(self->real, bytes, count, offset);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
    file *self = of(base);
    step();
    int code = current(self->path).writes;
    return code ? code : self->real->pMethods->xTruncate(self->real, size);
}

static int file_sync(sqlite3_file *base, int flags) {
    file *self = of(base);
    step();
    faulty_disk_plan plan = current(self->path);
    if (plan.sync_delay) usleep((useconds_t)plan.sync_delay);
    if (plan.syncs) return plan.syncs;
    int code = self->real->pMethods->xSync(self->real, flags);
    if (code == SQLITE_OK && plan.keeps_synced) keep_synced(self);
    return code;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
    return of(base)->real->pMethods->xFileSize(of(base)->real, size);
}

static int file_lock(sqlite3_file *base, int level) { return of(base)->real->pMethods->xLock(of(base)->real, level); }

static int file_unlock(sqlite3_file *base, int level) { return of(base)->real->pMethods->xUnlock(of(base)->real, level); }

static int file_reserved(sqlite3_file *base, int *result) {
    return of(base)->real->pMethods->xCheckReservedLock(of(base)->real, result);
}

static int file_control(sqlite3_file *base, int operation, void *argument) {
    return of(base)->real->pMethods->xFileControl(of(base)->real, operation, argument);
}

static int file_sector(sqlite3_file *base) { return of(base)->real->pMethods->xSectorSize(of(base)->real); }

static int file_characteristics(sqlite3_file *base) {
    return of(base)->real->pMethods->xDeviceCharacteristics(of(base)->real);
}

static int file_map(sqlite3_file *base, int page, int size, int extend, void volatile **memory) {
    return of(base)->real->pMethods->xShmMap(of(base)->real, page, size, extend, memory);
}

static int file_map_lock(sqlite3_file *base, int offset, int count, int flags) {
    return of(base)->real->pMethods->xShmLock(of(base)->real, offset, count, flags);
}

static void file_barrier(sqlite3_file *base) { of(base)->real->pMethods->xShmBarrier(of(base)->real); }

static int file_unmap(sqlite3_file *base, int removes) {
    return of(base)->real->pMethods->xShmUnmap(of(base)->real, removes);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_map,
    .xShmLock = file_map_lock,
    .xShmBarrier = file_barrier,
    .xShmUnmap = file_unmap,
};

/* The methods of the file system. */

static int disk_open(sqlite3_vfs *own, sqlite3_filename name, sqlite3_file *base, int flags, int *given) {
    (void)own;
    file *self = of(base);
    self->base.pMethods = NULL;
    self->real = (sqlite3_file *)(self + 1);
    snprintf(self->path, sizeof self->path, "%s", name ? name : "");
    int code = root->xOpen(root, name, self->real, flags, given);
    if (self->real->pMethods) self->base.pMethods = &methods;
    return code;
}

static int disk_delete(sqlite3_vfs *own, const char *name, int syncs) {
    (void)own;
    step();
    int code = root->xDelete(root, name, syncs);
    if (code == SQLITE_OK && syncs) {
        pthread_mutex_lock(&lock);
        for (int index = 0; index < synced_count; index++) {
            if (strcmp(synced[index], name) != 0) continue;
            free(synced[index]);
            synced[index] = synced[--synced_count];
            break;
        }
        pthread_mutex_unlock(&lock);
    }
    return code;
}

static int disk_access(sqlite3_vfs *own, const char *name, int flags, int *result) {
    (void)own;
    return root->xAccess(root, name, flags, result);
}

static int disk_full_name(sqlite3_vfs *own, const char *name, int size, char *result) {
    (void)own;
    return root->xFullPathname(root, name, size, result);
}

static int disk_random(sqlite3_vfs *own, int count, char *bytes) {
    (void)own;
    return root->xRandomness(root, count, bytes);
}

static int disk_sleep(sqlite3_vfs *own, int microseconds) {
    (void)own;
    return root->xSleep(root, microseconds);
}

static int disk_time(sqlite3_vfs *own, double *time) {
    (void)own;
    return root->xCurrentTime(root, time);
}

static int disk_error(sqlite3_vfs *own, int count, char *text) {
    (void)own;
    return root->xGetLastError(root, count, text);
}

static int disk_exact_time(sqlite3_vfs *own, sqlite3_int64 *time) {
    (void)own;
    return root->xCurrentTimeInt64(root, time);
}

static void install(void) {
    root = sqlite3_vfs_find(NULL);
    vfs.iVersion = 2;
    vfs.szOsFile = (int)sizeof(file) + root->szOsFile;
    vfs.mxPathname = root->mxPathname;
    vfs.zName = "faulty";
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    vfs.xAccess = disk_access;
    vfs.xFullPathname = disk_full_name;
    vfs.xRandomness = disk_random;
    vfs.xSleep = disk_sleep;
    vfs.xCurrentTime = disk_time;
    vfs.xGetLastError = disk_error;
    vfs.xCurrentTimeInt64 = disk_exact_time;
    sqlite3_vfs_register(&vfs, 1);
}

void faulty_disk_install(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}

void faulty_disk_set(const char *folder, faulty_disk_plan plan) {
    pthread_mutex_lock(&lock);
    int index = 0;
    while (index < entry_count && strcmp(entries[index].folder, folder) != 0) index++;
    if (index < most_entries) {
        snprintf(entries[index].folder, sizeof entries[index].folder, "%s", folder);
        entries[index].plan = plan;
        if (index == entry_count) entry_count++;
    }
    pthread_mutex_unlock(&lock);
}

int faulty_disk_lose_power(const char *folder, const char *target) {
    int copied = 0;
    pthread_mutex_lock(&lock);
    for (int index = 0; index < synced_count; index++) {
        if (strncmp(synced[index], folder, strlen(folder)) != 0) continue;
        const char *name = strrchr(synced[index], '/');
        char from[700], to[1200];
        snprintf(from, sizeof from, "%s.synced", synced[index]);
        snprintf(to, sizeof to, "%s%s", target, name ? name : "/");
        FILE *source = fopen(from, "r");
        FILE *copy = source ? fopen(to, "w") : NULL;
        char bytes[16384];
        size_t count;
        while (copy && (count = fread(bytes, 1, sizeof bytes, source)) > 0) fwrite(bytes, 1, count, copy);
        if (source) fclose(source);
        if (copy) fclose(copy);
        copied += copy != NULL;
    }
    pthread_mutex_unlock(&lock);
    return copied;
}

void faulty_disk_kill_after(long count) { atomic_store(&kill_after, count); }
