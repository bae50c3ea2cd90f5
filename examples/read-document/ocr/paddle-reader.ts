/** Reads lines with a PP-OCR network (CTC), among the Latin characters of its dictionary. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadOnnxModel } from '@equipoise/adapter-onnx';
import sharp from 'sharp';
import type { LineImage, LineReader } from './line-reader.js';

/** Class of the network and its character; class 0 is the blank of CTC. */
type Character = readonly [number: number, character: string];

/**
 * Loads the network at `path`, whose dictionary lies next to it. `squash` narrows lines before they are read: half the
 * width is half the work.
 */
export async function loadPaddleReader(path: string, squash: number, threads: number): Promise<LineReader> {
  const model = await loadOnnxModel(path, { threads });
  const characters = latinOf(await readFile(join(dirname(path), 'ppocr_keys_v1.txt'), 'utf8'));
  return {
    async read(line) {
      const data = await inputOf(line, squash);
      const shape = [1, 3, line.height, data.length / 3 / line.height];
      const outputs = await model.run({ [model.inputs[0]?.name ?? '']: { datatype: 'FP32', shape, data } });
      const scores = Object.values(outputs)[0];
      return textOf(scores?.data as Float32Array, scores?.shape[2] ?? 1, characters);
    },
    close: () => model.close(),
  };
}

function latinOf(dictionary: string): Character[] {
  const all = [...dictionary.trimEnd().split('\n'), ' '];
  return all.flatMap((character, index) =>
    /^[\u0020-\u00ff]$/.test(character) ? [[index + 1, character] as const] : [],
  );
}

/** The gray line as three equal channels in -1...1, padded with zeros to a multiple of 8 px. */
async function inputOf({ pixels, rowLength, width, height }: LineImage, squash: number): Promise<Float32Array> {
  const narrow = Math.max(8, Math.round(width * squash));
  const gray = await sharp(pixels, { raw: { width: rowLength, height, channels: 1 } })
    .extract({ left: 0, top: 0, width, height })
    .resize(narrow, height, { fit: 'fill' })
    .toColourspace('b-w')
    .raw()
    .toBuffer();
  const padded = Math.ceil(narrow / 8) * 8;
  const data = new Float32Array(3 * height * padded);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < narrow; column++) {
      data[row * padded + column] = (gray[row * narrow + column] ?? 0) / 127.5 - 1;
    }
  }
  for (const channel of [1, 2]) data.copyWithin(channel * height * padded, 0, height * padded);
  return data;
}

/** Greedy decoding; the confidence is the mean probability of the characters. */
function textOf(
  scores: Float32Array,
  classes: number,
  characters: readonly Character[],
): { text: string; confidence: number } {
  let text = '';
  let sum = 0;
  let previous = 0;
  for (let offset = 0; offset < scores.length; offset += classes) {
    let best: Character = [0, ''];
    for (const each of characters) {
      if ((scores[offset + each[0]] ?? 0) > (scores[offset + best[0]] ?? 0)) best = each;
    }
    const [number, character] = best;
    if (number !== 0 && number !== previous) {
      text += character;
      sum += scores[offset + number] ?? 0;
    }
    previous = number;
  }
  return { text: text.trim(), confidence: text === '' ? 0 : sum / text.length };
}
