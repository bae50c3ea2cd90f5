/**
 * A stage that waits and returns its inputs: `loadMs` to load, `baseMs` per batch plus `itemMs` per item. An input
 * whose first element is -1 blocks it forever.
 */
const sleep = (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs));

export async function load({ parameters: { loadMs, baseMs, itemMs } }) {
  await sleep(loadMs);
  return {
    run: async (batch) => {
      if (batch.some(({ x }) => x.data[0] === -1)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      await sleep(baseMs + itemMs * batch.length);
      return batch;
    },
  };
}
