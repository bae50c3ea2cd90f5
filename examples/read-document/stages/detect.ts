/**
 * Finds the lines of a page: `page` UINT8 [height, width] becomes, for k lines in reading order, `line` UINT8
 * [k, 48, widest] (gray, padded on the right), `width` INT32 [k] of each line in px, and `box` FP32 [k, 4] (left, top,
 * right, bottom in px of the page). The parameter `longestSide` is the resolution at which the detector looks.
 */
import { loadOnnxModel, type OnnxModel } from '@equipoise/adapter-onnx';
import { AppError, type LoadableVariant, type LoadedStage, type Resources, type TensorMap } from '@equipoise/core';
import sharp, { type Sharp } from 'sharp';
import { findLines, type LineBox } from '../ocr/find-lines.js';

/** Height of a cut-out line, which the recognizers expect. */
const lineHeight = 48;
/** Lines are not wider than this, so that one line has bounded work. */
const widestLine = 1536;
/** The network halves the image five times. */
const stride = 32;
/** Mean and deviation of the channels blue, green and red in 0…1. */
const channels = [
  [0.485, 0.229],
  [0.456, 0.224],
  [0.406, 0.225],
] as const;

interface Page {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Loads a detector with one thread per whole core of the replica. */
export async function load(variant: LoadableVariant, resources: Resources): Promise<LoadedStage> {
  sharp.concurrency(1);
  sharp.cache(false);
  const { artifactPath, parameters } = variant;
  const longestSide = parameters['longestSide'];
  if (artifactPath === undefined || typeof longestSide !== 'number') {
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `Variant '${variant.name}' needs an artifact and the parameter longestSide.`,
    );
  }
  const model = await loadOnnxModel(artifactPath, { threads: Math.max(1, Math.floor(resources.cpuCores)) });
  const detect = async (item: TensorMap) => {
    const page = pageOf(item);
    return cutOut(page, await linesOf(page, model, longestSide));
  };
  return {
    async run(batch) {
      const results: TensorMap[] = [];
      for (const item of batch) results.push(await detect(item));
      return results;
    },
    close: () => model.close(),
  };
}

function pageOf(item: TensorMap): Page {
  const page = item['page'];
  if (!(page?.data instanceof Uint8Array)) throw new AppError('STAGE_FAILED', "The tensor 'page' must be UINT8.");
  const [height = 0, width = 0] = page.shape;
  return { pixels: page.data, width, height };
}

/** Boxes in px of the page. */
async function linesOf(page: Page, model: OnnxModel, longestSide: number): Promise<LineBox[]> {
  const scale = longestSide / Math.max(page.width, page.height);
  const [width, height] = [page.width, page.height].map(
    (side) => Math.max(1, Math.round((side * scale) / stride)) * stride,
  ) as [number, number];
  const small = await imageOf(page).resize(width, height, { fit: 'fill' }).raw().toBuffer();
  const size = width * height;
  const data = new Float32Array(3 * size);
  for (const [channel, [mean, deviation]] of channels.entries()) {
    for (let index = 0; index < size; index++)
      data[channel * size + index] = ((small[index] ?? 0) / 255 - mean) / deviation;
  }
  const [input] = model.inputs;
  const outputs = await model.run({ [input?.name ?? '']: { datatype: 'FP32', shape: [1, 3, height, width], data } });
  const [map] = Object.values(outputs);
  const [across, down] = [page.width / width, page.height / height];
  return findLines(map?.data as Float32Array, width, height).map((box) => ({
    left: Math.floor(box.left * across),
    top: Math.floor(box.top * down),
    right: Math.min(page.width, Math.ceil(box.right * across)),
    bottom: Math.min(page.height, Math.ceil(box.bottom * down)),
  }));
}

async function cutOut(page: Page, boxes: readonly LineBox[]): Promise<TensorMap> {
  const lines = await Promise.all(
    boxes.map(async ({ left, top, right, bottom }) => {
      const [across, down] = [right - left, bottom - top];
      const width = Math.min(widestLine, Math.max(1, Math.round((across * lineHeight) / down)));
      const area = { left, top, width: across, height: down };
      const pixels = await imageOf(page).extract(area).resize(width, lineHeight, { fit: 'fill' }).raw().toBuffer();
      return { pixels, width };
    }),
  );
  const count = lines.length;
  const widest = Math.max(1, ...lines.map(({ width }) => width));
  const line = new Uint8Array(count * lineHeight * widest);
  for (const [index, { pixels, width }] of lines.entries()) {
    for (let row = 0; row < lineHeight; row++) {
      line.set(pixels.subarray(row * width, (row + 1) * width), (index * lineHeight + row) * widest);
    }
  }
  return {
    line: { datatype: 'UINT8', shape: [count, lineHeight, widest], data: line },
    width: { datatype: 'INT32', shape: [count], data: Int32Array.from(lines, ({ width }) => width) },
    box: {
      datatype: 'FP32',
      shape: [count, 4],
      data: Float32Array.from(boxes.flatMap(({ left, top, right, bottom }) => [left, top, right, bottom])),
    },
  };
}

function imageOf({ pixels, width, height }: Page): Sharp {
  return sharp(pixels, { raw: { width, height, channels: 1 } }).toColourspace('b-w');
}
