/* Threads. One pool serves all calls. A call hands its parts to free threads and works on them itself,
   so two layers that run at the same time share the cores, and neither waits for the other. */

#include <pthread.h>
#include <unistd.h>

#include "lstm.h"

enum { MOST_CORES = 64 };

/* A call's work. It stands in the queue until the last part is taken. */
struct task {
  work *run;
  void *job;
  int64_t rows, part, next; /* rows in all, in a part, the first not yet taken */
  int unfinished;           /* parts */
  struct task *after;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queued = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static struct task *queue;
static int cores = 1;

/* Takes a part of a task and runs it; called with the lock held, and returns with it held. */
static void run_part(struct task *task) {
  int64_t lo = task->next, hi = lo + task->part < task->rows ? lo + task->part : task->rows;
  task->next = hi;
  if (hi == task->rows) {
    struct task **at = &queue;
    while (*at != task) at = &(*at)->after;
    *at = task->after;
  }
  pthread_mutex_unlock(&lock);
  task->run(task->job, lo, hi);
  pthread_mutex_lock(&lock);
  if (--task->unfinished == 0) pthread_cond_broadcast(&done);
}

static void *help(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  for (;;) {
    while (!queue) pthread_cond_wait(&queued, &lock);
    run_part(queue);
  }
  return NULL;
}

static void start_pool(void) {
#ifdef _WIN32
  cores = pthread_num_processors_np();
#else
  cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
  if (cores > MOST_CORES) cores = MOST_CORES;
  for (int k = 1; k < cores; k++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, help, NULL)) break; /* the caller does the work itself */
    pthread_detach(thread);
  }
}

/* The number of threads that work at once; the first call starts the pool. */
int64_t number_of_cores(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_pool);
  return cores;
}

/* The rows of a part, where each core gets one part; the last part may have fewer. */
int64_t rows_of_a_part(int64_t rows) {
  const int64_t cores = number_of_cores();
  return rows <= cores ? 1 : (rows + cores - 1) / cores;
}

/* Runs the job on all rows, and returns when all are done. */
void run_in_parts(work *run, void *job, int64_t rows) {
  struct task task = {run, job, rows, rows_of_a_part(rows), 0, 0, NULL};
  if (task.part >= rows) {
    if (rows) run(job, 0, rows);
    return;
  }
  task.unfinished = (int)((rows + task.part - 1) / task.part);
  pthread_mutex_lock(&lock);
  struct task **at = &queue;
  while (*at) at = &(*at)->after;
  *at = &task;
  pthread_cond_broadcast(&queued);
  while (task.next < task.rows) run_part(&task);
  while (task.unfinished) pthread_cond_wait(&done, &lock);
  pthread_mutex_unlock(&lock);
}
