/**
 * Reads one line: `line` UINT8 [48, widest] and `width` INT32 become `text` BYTES and `confidence` FP32 (0…1); the
 * inputs pass through. The artifact of the variant selects the engine: an .onnx file is a PP-OCR network, which reads
 * lines at the fraction `squash` of their width; other files are data of Tesseract.
 */
import { AppError, type LoadableVariant, type LoadedStage, type Resources, type TensorMap } from '@equipoise/core';
import type { LineReader } from '../ocr/line-reader.js';
import { loadPaddleReader } from '../ocr/paddle-reader.js';
import { loadTesseractReader } from '../ocr/tesseract-reader.js';

/** Loads the engine of the variant with one thread per whole core of the replica. */
export async function load(variant: LoadableVariant, resources: Resources): Promise<LoadedStage> {
  const { artifactPath, parameters } = variant;
  if (artifactPath === undefined)
    throw new AppError('MODEL_LOAD_FAILED', `Variant '${variant.name}' needs an artifact.`);
  const reader = artifactPath.endsWith('.onnx')
    ? await loadPaddleReader(
        artifactPath,
        Number(parameters['squash'] ?? 1),
        Math.max(1, Math.floor(resources.cpuCores)),
      )
    : await loadTesseractReader(artifactPath);
  return {
    async run(batch) {
      const results: TensorMap[] = [];
      for (const item of batch) results.push(await readLine(reader, item));
      return results;
    },
    close: () => reader.close(),
  };
}

async function readLine(reader: LineReader, item: TensorMap): Promise<TensorMap> {
  const { line, width } = item;
  if (!(line?.data instanceof Uint8Array) || !(width?.data instanceof Int32Array)) {
    throw new AppError('STAGE_FAILED', 'The tensors line (UINT8) and width (INT32) are expected.');
  }
  const [height = 0, rowLength = 0] = line.shape;
  const { text, confidence } = await reader.read({ pixels: line.data, rowLength, width: width.data[0] ?? 0, height });
  return {
    ...item,
    text: { datatype: 'BYTES', shape: [], data: [text] },
    confidence: { datatype: 'FP32', shape: [], data: Float32Array.of(confidence) },
  };
}
