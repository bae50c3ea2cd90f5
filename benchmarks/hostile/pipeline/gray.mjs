/** Reduces a decoded scene to its mean, so that answers are small. */
export function load() {
  return {
    run: (batch) =>
      batch.map(({ image }) => {
        const mean = image.data.reduce((sum, each) => sum + each, 0) / image.data.length;
        return { gray: { datatype: 'FP64', shape: [1], data: Float64Array.of(Math.round(mean * 1000) / 1000) } };
      }),
  };
}
