// A stage module exports load(variant, resources). It returns an object whose `run` returns one result per item, in order.
export function load() {
  return {
    run: (batch) =>
      batch.map(({ text }) => {
        const words =
          String(text.data[0])
            .toLowerCase()
            .match(/\p{L}+/gu) ?? [];
        return { words: { datatype: 'BYTES', shape: [words.length], data: words } };
      }),
  };
}
