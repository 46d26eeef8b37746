/*
** The threads of the process that had better wait (muster_nice() in muster.h).
**
** (1) Only Linux is asked: elsewhere threads share the priority of their process, or none may lower it by name.
** (2) Priorities count from that of the process, so that a second call changes nothing.
*/
#ifdef __linux__
# include <dirent.h>
# include <stdio.h>
# include <stdlib.h>
# include <string.h>
# include <sys/resource.h>
# include <unistd.h>
#endif
#include "muster.h"

int muster_nice(const char *name, int by){
  int n = 0;
#ifdef __linux__
  DIR *tasks = opendir("/proc/self/task");
  int nice = getpriority(PRIO_PROCESS, (id_t)getpid()) + by; /* of the first thread */
  struct dirent *task;
  if( !tasks ) return 0;
  while( (task = readdir(tasks))!=0 ){
    char path[64], comm[32];
    FILE *file;
    snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", task->d_name);
    file = fopen(path, "re");
    if( !file ) continue;
    if( fgets(comm, sizeof(comm), file) && strncmp(comm, name, strlen(name))==0
     && setpriority(PRIO_PROCESS, (id_t)atoi(task->d_name), nice)==0 ) n++;
    fclose(file);
  }
  closedir(tasks);
#else
  (void)name; (void)by;
#endif
  return n;
}
