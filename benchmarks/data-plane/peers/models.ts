/**
 * The two ONNX models that every server of the comparison runs as a chain: 256 floats through two layers with random
 * weights.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SeededRng } from '@equipoise/core/model';
import { tinyModel } from '../../../packages/adapter-onnx/src/tiny-model.test-support.js';

const WIDTH = 256;

/** Writes `layer-1.onnx` (x to y) and `layer-2.onnx` (y to z) into a folder. The first dimension is the batch. */
export function writeModels(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [index, [from, to]] of [['x', 'y'] as const, ['y', 'z'] as const].entries()) {
    const rng = new SeededRng(index + 1);
    const weights = () => ({
      shape: [WIDTH, WIDTH],
      data: Array.from({ length: WIDTH * WIDTH }, () => (rng.next() - 0.5) / 8),
    });
    const value = (name: string) => ({ name, datatype: 'FP32', shape: ['batch', WIDTH] }) as const;
    const model = tinyModel({
      inputs: [value(from)],
      outputs: [value(to)],
      constants: { first: weights(), second: weights() },
      nodes: [
        { op: 'MatMul', inputs: [from, 'first'], output: 'hidden' },
        { op: 'Relu', inputs: ['hidden'], output: 'active' },
        { op: 'MatMul', inputs: ['active', 'second'], output: to },
      ],
    });
    writeFileSync(join(folder, `layer-${index + 1}.onnx`), model);
  }
}
