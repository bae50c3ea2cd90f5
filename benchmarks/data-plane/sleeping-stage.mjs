/**
 * A stage that takes its time and gives back what it got: `loadMs` to load, `baseMs` a batch and `itemMs` each item of
 * it. An input whose first element is -1 stops it for ever.
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
