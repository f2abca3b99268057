#ifndef NEUTRINO_CCURL_SHIM_H
#define NEUTRINO_CCURL_SHIM_H
#include <curl/curl.h>
#endif
