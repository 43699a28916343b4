/* Bad input of every kind, made in a folder of its own. */
#ifndef IVL_TESTS_CLI_BAD_FILES_H
#define IVL_TESTS_CLI_BAD_FILES_H

#include <stddef.h>

/* Fills the folder `dir`; $srcdir's golden files are what is damaged. Check's assertions end it on trouble. */
void bad_files_make(const char *dir);

/* Parts of it, each in a source file. Paths are below the folder of bad_files_make. */
void bad_good_run_make(void); /* a short run, whose model the others damage; first */
void bad_pictures_make(void);
void bad_models_make(void);
void bad_runs_make(void);

void  put(const char *name, const void *data, size_t n);
void  put_text(const char *name, const char *text);
void  put_folder(const char *name);
char *get(const char *name, size_t *n_p); /* to be freed; 0 bytes behind its end */
char *get_golden(const char *name, size_t *n_p);
/* Name in the folder, or among the source's golden files. Valid until the fourth call after. */
const char *at(const char *name), *golden(const char *name);

#endif
