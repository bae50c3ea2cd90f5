import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type TinyGraph, tinyModel } from './tiny-model.test-support.js';

const constants = { w: { shape: [3, 2], data: [1, 0, 0, 1, 1, 1] }, b: { shape: [2], data: [10, 20] } };

/**
 * y = x·w + b with w = [[1,0],[0,1],[1,1]] and b = [10, 20]; `rows` is the size of dimension 0; a word means any size.
 */
export const affine = (rows: number | string): TinyGraph => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 3] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [rows, 2] }],
  constants,
  nodes: [
    { op: 'MatMul', inputs: ['x', 'w'], output: 'xw' },
    { op: 'Add', inputs: ['xw', 'b'], output: 'y' },
  ],
});

/**
 * Returns a function that writes a model and gives its path. The folder is removed after the tests of the calling file.
 */
export function tinyFiles(): (name: string, content: TinyGraph | string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-onnx-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, typeof content === 'string' ? content : tinyModel(content));
    return path;
  };
}
