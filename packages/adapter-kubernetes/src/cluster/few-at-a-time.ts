/** Several calls at a time, but not all of them: a server is asked by many. */

/** Does `work` for each of `items`, begun in their order, `count` at a time. Begins no more after a failure, and rejects with it when all that began has ended. */
export async function fewAtATime<T>(
  items: readonly T[],
  count: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  let failure: { readonly error: unknown } | undefined;
  const workThrough = async (): Promise<void> => {
    for (const item of left) {
      if (failure !== undefined) return;
      try {
        await work(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, workThrough));
  if (failure !== undefined) throw failure.error;
}
