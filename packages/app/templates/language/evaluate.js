// Evaluation module of `equipoise evaluate`: labelled inputs, and a score (0…1) of the pipeline's outputs.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function loadSamples(folder) {
  const sentences = JSON.parse(await readFile(join(folder, 'sentences.json'), 'utf8'));
  return sentences.map(({ text, language }) => ({
    inputs: { text: { datatype: 'BYTES', shape: [1], data: [text] } },
    label: language,
  }));
}

export function score(samples) {
  const right = samples.filter(({ outputs, label }) => outputs.language.data[0] === label);
  return right.length / samples.length;
}
