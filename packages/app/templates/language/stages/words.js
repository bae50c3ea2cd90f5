// A stage module exports load(variant, resources); what it returns runs batches: one result per item, in their order.
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
