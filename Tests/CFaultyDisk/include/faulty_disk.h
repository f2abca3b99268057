#ifndef FAULTY_DISK_H
#define FAULTY_DISK_H

/* A file system for SQLite (a VFS, https://sqlite.org/vfs.html) over its own, whose disk fails when it is told to. For tests only. */

/* Makes it the one that every connection of this process uses from now on; at most once counts. */
void faulty_disk_install(void);

/* What becomes of the files whose paths begin with a folder. Values are SQLite's result codes; 0 is none. */
typedef struct {
    /* Of writes, truncations and new files. */
    int writes;
    /* Of syncs. */
    int syncs;
    /* Microseconds that a sync takes. */
    int sync_delay;
    /* Whether what was synced is kept apart, for faulty_disk_lose_power. */
    int keeps_synced;
} faulty_disk_plan;

void faulty_disk_set(const char *folder, faulty_disk_plan plan);

/* Copies the files under a folder as a loss of power would leave them: each as it was when it was last synced. Returns how many. */
int faulty_disk_lose_power(const char *folder, const char *target);

/* Kills this process (SIGKILL) right before the write, truncation, sync or removal that comes after `count` others, in any file. */
void faulty_disk_kill_after(long count);

#endif
