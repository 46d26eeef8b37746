/*
** An SQLite extension for tests: the functions twice() and fails(), and virtual tables of the module `hollow`, which have no
** rows, and which an integrity check does not pass.
** It needs no header of SQLite: the table of functions that SQLite hands over only ever grows at its end.
** -DNAME=… names the function, -DENTRY=… the entry point, -DFAILS makes the entry point fail.
*/
#include <stdlib.h>
#include <string.h>
#ifndef ENTRY
# define ENTRY sqlite3_extension_init
#endif
#ifndef NAME
# define NAME twice
#endif
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
enum { CREATE_FUNCTION = 45, CREATE_MODULE = 47, DECLARE_VTAB = 50, MPRINTF = 69, RESULT_INT64 = 83, VALUE_INT64 = 107,
  RESULT_ERROR_CODE = 146 };

static void **api;

static void twice(void *context, int count, void **values){
  long long (*valueOf)(void*) = (long long(*)(void*))api[VALUE_INT64];
  void (*result)(void*, long long) = (void(*)(void*, long long))api[RESULT_INT64];
  (void)count;
  result(context, 2*valueOf(values[0]));
}

/* fails(code): the statement fails with that result code of SQLite; 0: it gives NULL. */
static void fails(void *context, int count, void **values){
  long long (*valueOf)(void*) = (long long(*)(void*))api[VALUE_INT64];
  void (*result)(void*, int) = (void(*)(void*, int))api[RESULT_ERROR_CODE];
  int code = (int)valueOf(values[0]);
  (void)count;
  if( code ) result(context, code);
}

struct Table { const void *module; int references; char *message; };
struct Cursor { struct Table *table; };

static int tableOpen(void *db, void *aux, int count, const char *const*args, struct Table **out, char **error){
  int (*declare)(void*, const char*) = (int(*)(void*, const char*))api[DECLARE_VTAB];
  (void)aux; (void)count; (void)args; (void)error;
  *out = calloc(1, sizeof(**out));
  return declare(db, "CREATE TABLE x(a)");
}
static int tablePlan(void *table, void *plan){ (void)table; (void)plan; return 0; }
static int freed(void *what){ free(what); return 0; }
static int cursorOpen(struct Table *table, struct Cursor **out){ (void)table; *out = calloc(1, sizeof(**out)); return 0; }
static int cursorFilter(void *c, int n, const char *s, int count, void **values){
  (void)c; (void)n; (void)s; (void)count; (void)values; return 0;
}
static int cursorNext(void *c){ (void)c; return 0; }
static int cursorEof(void *c){ (void)c; return 1; }
static int cursorColumn(void *c, void *context, int column){ (void)c; (void)context; (void)column; return 0; }
static int cursorRowid(void *c, long long *rowid){ (void)c; *rowid = 0; return 0; }

static int tableCheck(void *table, const char *schema, const char *name, int flags, char **message){
  (void)table; (void)schema; (void)name; (void)flags;
  *message = ((char*(*)(const char*, ...))api[MPRINTF])("%s", "nothing is in it");
  return 0;
}

static struct { int version; void *methods[24]; } module = { 4, {
  tableOpen, tableOpen, tablePlan, freed, freed, cursorOpen, freed, cursorFilter, cursorNext, cursorEof, cursorColumn, cursorRowid,
  [23] = tableCheck,
} };

int ENTRY(void *db, char **error, void **functions){
  int (*create)(void*, const char*, int, int, void*, void*, void*, void*);
  int (*createModule)(void*, const char*, const void*, void*);
  api = functions;
#ifdef FAILS
  *error = ((char*(*)(const char*, ...))api[MPRINTF])("%s", "no licence was found");
  (void)db; (void)create; (void)createModule; (void)twice; (void)fails; (void)module;
  return 1;
#else
  (void)error;
  create = (int(*)(void*, const char*, int, int, void*, void*, void*, void*))api[CREATE_FUNCTION];
  createModule = (int(*)(void*, const char*, const void*, void*))api[CREATE_MODULE];
  if( create(db, "fails", 1, 1, 0, (void*)fails, 0, 0) ) return 1;
  if( create(db, TEXT(NAME), 1, 1|0x800, 0, (void*)twice, 0, 0) ) return 1;
  return createModule(db, "hollow", &module, 0);
#endif
}
