/** Tells images from texts and splits a text into its words. */
export function load() {
  return { run: (batch) => batch.map(({ image }) => (isText(image.data) ? textOf(image.data) : imageOf(image))) };
}

const isText = (bytes) => bytes[0] !== 0xff && bytes[0] !== 0x89;

const kindOf = (kind) => ({ datatype: 'BYTES', shape: [], data: [kind] });

function imageOf(image) {
  return { kind: kindOf('image'), words: { datatype: 'BYTES', shape: [0], data: [] }, image };
}

function textOf(bytes) {
  const data = new TextDecoder().decode(bytes).match(/[\p{L}'!]+/gu) ?? [];
  return { kind: kindOf('text'), words: { datatype: 'BYTES', shape: [data.length], data } };
}
