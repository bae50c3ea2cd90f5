/**
 * Guesses the language of a page from its widest line: `line` UINT8 [k, 48, widest], `width` INT32 [k] and `box` FP32
 * [k, 4] become `language` BYTES [1], empty without a line, and `margin` FP32 []: the score of the language above that of
 * the second one, 1 without a line, because there is nothing more to read. The inputs pass through.
 */
import { AppError, type LoadableVariant, type LoadedStage, type Resources, type TensorMap } from '@equipoise/core';
import type { LineReader } from '../../read-document/ocr/line-reader.js';
import { loadPaddleReader } from '../../read-document/ocr/paddle-reader.js';
import { loadTesseractReader } from '../../read-document/ocr/tesseract-reader.js';

interface Detector {
  detect(text: string): { readonly language: string; getScores(): Readonly<Record<string, number>> };
}

/** The artifact of the variant selects the engine, as in `recognize`. */
export async function load(variant: LoadableVariant, resources: Resources): Promise<LoadedStage> {
  const { artifactPath, parameters } = variant;
  if (artifactPath === undefined)
    throw new AppError('MODEL_LOAD_FAILED', `Variant '${variant.name}' needs an artifact.`);
  const threads = Math.max(1, Math.floor(resources.cpuCores));
  // Not a literal, so that the types are checked without the packages of this example, too.
  const detectorModule: string = 'eld/large';
  const { default: detector } = (await import(detectorModule)) as { default: Detector };
  const reader = artifactPath.endsWith('.onnx')
    ? await loadPaddleReader(artifactPath, Number(parameters['squash'] ?? 1), threads)
    : await loadTesseractReader(artifactPath);
  return {
    async run(batch) {
      const results: TensorMap[] = [];
      for (const item of batch) results.push({ ...item, ...(await skim(item, reader, detector)) });
      return results;
    },
    close: () => reader.close(),
  };
}

async function skim({ line, width }: TensorMap, reader: LineReader, detector: Detector): Promise<TensorMap> {
  if (!(line?.data instanceof Uint8Array) || !(width?.data instanceof Int32Array))
    throw new AppError('STAGE_FAILED', 'The tensors line (UINT8) and width (INT32) are expected.');
  const [count = 0, height = 0, rowLength = 0] = line.shape;
  if (count === 0) return guess('', 1);
  const widest = width.data.indexOf(Math.max(...width.data));
  const pixels = line.data.subarray(widest * height * rowLength, (widest + 1) * height * rowLength);
  const { text } = await reader.read({ pixels, rowLength, width: width.data[widest] ?? 0, height });
  const found = detector.detect(text);
  const [first = 0, second = 0] = Object.values(found.getScores()).sort((a, b) => b - a);
  return guess(found.language, first - second);
}

const guess = (language: string, margin: number): TensorMap => ({
  language: { datatype: 'BYTES', shape: [1], data: [language] },
  margin: { datatype: 'FP32', shape: [], data: Float32Array.of(margin) },
});
