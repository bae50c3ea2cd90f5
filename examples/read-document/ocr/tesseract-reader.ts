/** Reads lines with Tesseract (WebAssembly) in this thread. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { LineImage, LineReader } from './line-reader.js';

/** The part of tesseract.js-core that this file uses. */
interface TesseractCore {
  readonly FS: { writeFile(path: string, data: Uint8Array): void };
  readonly TessBaseAPI: new () => {
    Init(path: null, language: string, mode: number): number;
    SetVariable(name: string, value: string): void;
    SetImageFile(rotation: number, angle: number): number;
    Recognize(monitor: null): number;
    GetUTF8Text(): string;
    MeanTextConf(): number;
    End(): void;
  };
}

const neuralNetworkOnly = 1;
const oneLine = '7';
const upright = 1;

/** Loads the packed data of a language at `path`. The engine is installed next to them, perhaps for another example. */
export async function loadTesseractReader(path: string): Promise<LineReader> {
  const create = createRequire(path)('tesseract.js-core/tesseract-core-simd-lstm.js') as (
    options: object,
  ) => Promise<TesseractCore>;
  const core = await create({});
  core.FS.writeFile('line.traineddata', await promisify(gunzip)(await readFile(path)));
  const engine = new core.TessBaseAPI();
  if (engine.Init(null, 'line', neuralNetworkOnly) !== 0) throw new Error(`Tesseract cannot read ${path}.`);
  engine.SetVariable('tessedit_pageseg_mode', oneLine);
  return {
    async read(line) {
      core.FS.writeFile('/input', grayMap(line));
      if (engine.SetImageFile(upright, 0) !== 0) throw new Error('Tesseract cannot read the image of a line.');
      engine.Recognize(null);
      return { text: engine.GetUTF8Text().trim(), confidence: engine.MeanTextConf() / 100 };
    },
    close: () => engine.End(),
  };
}

/** A binary PGM file with a light margin, without which Tesseract misses the first and last characters. */
function grayMap({ pixels, rowLength, width, height }: LineImage): Uint8Array {
  const margin = 8;
  const [across, down] = [width + 2 * margin, height + 2 * margin];
  const header = new TextEncoder().encode(`P5 ${across} ${down} 255\n`);
  const file = new Uint8Array(header.length + across * down).fill(255);
  file.set(header);
  for (let row = 0; row < height; row++) {
    const from = row * rowLength;
    file.set(pixels.subarray(from, from + width), header.length + (row + margin) * across + margin);
  }
  return file;
}
