/** Splits a text into its words, in lower case. */
export function load() {
  return {
    run: (batch) =>
      batch.map(({ text }) => {
        const data =
          String(text.data[0])
            .toLowerCase()
            .match(/[\p{L}']+/gu) ?? [];
        return { words: { datatype: 'BYTES', shape: [data.length], data } };
      }),
  };
}
