/** Work on a stream, some of it at the same time; results come in the stream's order. */
export async function* parallel<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  most: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const under: Promise<R>[] = [];
  const start = (item: T): void => {
    const result = work(item);
    // Whoever waits for an earlier one must not be told of this one's failure by the process.
    result.catch(() => undefined);
    under.push(result);
  };
  for await (const item of items) {
    start(item);
    if (under.length >= most) yield await (under.shift() as Promise<R>);
  }
  for (const result of under) yield await result;
}
