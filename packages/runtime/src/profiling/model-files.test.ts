import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../digest.js';
import { modelDigest } from './model-files.js';

describe('modelDigest', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'equipoise-model-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (name: string, content: string | Uint8Array): string => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  };

  it.each([0, 1, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 - 5])('of a file of %d bytes is that of its content', (bytes) => {
    const path = write('model.onnx', Buffer.alloc(bytes, 'weights'));
    expect(modelDigest(path)).toBe(sha256(readFileSync(path)));
  });

  it.each(['model.onnx.data', 'model.onnx_data'])('changes with the external weights %s', (weights) => {
    const path = write('model.onnx', 'graph');
    const digests = [modelDigest(path)];
    for (const content of ['old', 'new']) {
      write(weights, content);
      digests.push(modelDigest(path));
    }
    expect(new Set(digests).size).toBe(3);
    write('unrelated.data', '');
    expect(modelDigest(path)).toBe(digests[2]);
  });

  it('changes with any file of a folder, but not with hidden files and caches', () => {
    write('model/config.json', '{}');
    const weights = write('model/weights/part-1.bin', 'old');
    const path = join(folder, 'model');
    const before = modelDigest(path);
    write('model/.git/index', '');
    write('model/__pycache__/code.pyc', '');
    expect(modelDigest(path)).toBe(before);
    writeFileSync(weights, 'new');
    const after = modelDigest(path);
    expect(after).not.toBe(before);
    rmSync(weights);
    write('model/weights/part-2.bin', 'new');
    expect(modelDigest(path)).not.toBe(after);
  });

  it('is unknown without files', () => {
    expect(modelDigest(join(folder, 'none.onnx'))).toBeUndefined();
    expect(modelDigest(folder)).toBeUndefined();
  });
});
