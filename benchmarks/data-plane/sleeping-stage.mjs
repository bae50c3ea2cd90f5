/** A stage that takes its time and gives back what it got: `loadMs` to load, `baseMs` a batch and `itemMs` each item of it. */
const sleep = (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs));

export async function load({ parameters: { loadMs, baseMs, itemMs } }) {
  await sleep(loadMs);
  return {
    run: async (batch) => {
      await sleep(baseMs + itemMs * batch.length);
      return batch;
    },
  };
}
