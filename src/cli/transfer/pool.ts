/**
 * Runs `work` on items of `source`, at most `workers` at a time, pulling an item only when a worker is free. Stops pulling
 * when `signal` aborts or `work` throws; then waits for what is running and rethrows the first error.
 */
export async function forEachParallel<T>(
  source: AsyncIterable<T> | Iterable<T>,
  workers: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  try {
    for await (const item of source) {
      if (signal.aborted || errors.length > 0) break;
      const task: Promise<void> = work(item)
        .catch((error: unknown) => {
          errors.push(error);
        })
        .finally(() => running.delete(task));
      running.add(task);
      if (running.size >= workers) await Promise.race(running);
    }
  } finally {
    // A source that fails must not leave work behind that nobody waits for.
    await Promise.all(running);
  }
  if (errors.length > 0) throw errors[0];
  signal.throwIfAborted();
}
