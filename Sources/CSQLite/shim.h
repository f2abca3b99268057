#ifndef NEUTRINO_CSQLITE_SHIM_H
#define NEUTRINO_CSQLITE_SHIM_H
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

/* What Swift's Glibc module leaves out. */

/* The f_type of statfs(2), 0 where it cannot be told. */
static inline unsigned long neutrino_file_system_type(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 ? (unsigned long)status.f_type : 0;
}

/* The bytes of the file system that a path is on, and those that are free to this user. 0, or -1 where it cannot be told. */
static inline int neutrino_disk_space(const char *path, long long *total, long long *free_bytes) {
    struct statvfs status;
    if (statvfs(path, &status) != 0) return -1;
    *total = (long long)status.f_blocks * (long long)status.f_frsize;
    *free_bytes = (long long)status.f_bavail * (long long)status.f_frsize;
    return 0;
}

/* Has the last connection that closes leave the write-ahead log alone. The function is variadic, which Swift cannot call. */
static inline void neutrino_keep_log_on_close(sqlite3 *connection) {
    sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

/* Names the calling thread for ps(1) and top(1): at most 15 characters. */
static inline void neutrino_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}
#endif
