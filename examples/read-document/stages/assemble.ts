/**
 * Joins the lines of a page: `text` BYTES [k] and `box` FP32 [k, 4] become `text` BYTES [1], one line of the page per line.
 * A page without lines has an empty text.
 */
import type { LoadedStage, TensorMap } from '@equipoise/core';

export function load(): LoadedStage {
  return { run: (batch) => batch.map(assemble) };
}

function assemble({ text, box }: TensorMap): TensorMap {
  const parts = (text?.data ?? []) as readonly string[];
  const boxes = (box?.data ?? []) as Float32Array;
  let page = '';
  for (const [index, part] of parts.entries()) {
    const [top, previousBottom] = [boxes[4 * index + 1] ?? 0, boxes[4 * index - 1] ?? 0];
    const middle = (top + (boxes[4 * index + 3] ?? 0)) / 2;
    if (index > 0) page += middle < previousBottom ? ' ' : '\n';
    page += part;
  }
  return { text: { datatype: 'BYTES', shape: [1], data: [page] } };
}
