#ifndef NEUTRINO_CSQLITE_SHIM_H
#define NEUTRINO_CSQLITE_SHIM_H
#include <sqlite3.h>
#endif
