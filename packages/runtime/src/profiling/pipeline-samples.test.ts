import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PipelineSpec, SourceTensor } from '@equipoise/core/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadPipelineSamples } from './pipeline-samples.js';
import { pipeline, stage, variant } from './profile-pipeline.test-support.js';

const image: SourceTensor = {
  name: 'image',
  datatype: 'UINT8',
  shape: [-1],
  contentTypes: ['image/jpeg', 'image/png'],
};
const text: SourceTensor = { name: 'text', datatype: 'BYTES', shape: [1], contentTypes: ['text/*'] };
const pair: SourceTensor = { name: 'pair', datatype: 'FP32', shape: [-1, 2], contentTypes: [] };

let baseDir: string;
beforeEach(() => {
  baseDir = mkdtempSync(join(tmpdir(), 'equipoise-samples-'));
  mkdirSync(join(baseDir, 'samples', 'folder'), { recursive: true });
});
afterEach(() => rmSync(baseDir, { recursive: true }));

const write = (files: Readonly<Record<string, string>>): void => {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(baseDir, 'samples', name), content);
};
const specWith = (tensors: readonly SourceTensor[], samplesPath = './samples'): PipelineSpec => {
  const spec = pipeline([stage('a', [variant('v')])], { baseDir });
  return { ...spec, sources: [{ name: 'in', to: [], tensors, samplesPath }] };
};

describe('loadPipelineSamples', () => {
  it('reads the bytes of the files that the source takes, by name, and names the others', () => {
    write({ 'b.png': 'BB', 'a.JPG': 'A', 'labels.json': '[]', 'notes.txt': 'x', '.hidden.jpg': 'x' });
    const { samples, ignored } = loadPipelineSamples(specWith([image]));
    expect(samples).toEqual([
      { name: 'a.JPG', inputs: { image: { datatype: 'UINT8', shape: [1], data: new Uint8Array([65]) } } },
      { name: 'b.png', inputs: { image: { datatype: 'UINT8', shape: [2], data: new Uint8Array([66, 66]) } } },
    ]);
    expect(ignored).toEqual([
      { name: 'labels.json', reason: 'its JSON is not an object of tensors' },
      { name: 'notes.txt', reason: 'the source takes no text/plain' },
    ]);
  });

  it('stops at the limit', () => {
    write(Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`${100 + index}.jpg`, 'x'])));
    const { samples } = loadPipelineSamples(specWith([image]));
    expect(samples).toHaveLength(24);
    expect(samples.at(-1)?.name).toBe('123.jpg');
    expect(loadPipelineSamples(specWith([image]), 2).samples).toHaveLength(2);
  });

  it('reads text as one BYTES element, and files of any kind where the source does not say', () => {
    write({ 'a.txt': 'größe', 'b.bin': 'x' });
    expect(loadPipelineSamples(specWith([text])).samples).toEqual([
      { name: 'a.txt', inputs: { text: { datatype: 'BYTES', shape: [1], data: ['größe'] } } },
    ]);
    expect(loadPipelineSamples(specWith([{ ...image, contentTypes: [] }])).samples).toHaveLength(2);
  });

  it('reads nested JSON arrays as tensors of the declared types', () => {
    write({ 'a.json': '{"pair": [[1, 2], [3, 4.5]], "flag": [true, false], "id": [7], "name": ["x"]}' });
    const declared: SourceTensor[] = [
      pair,
      { name: 'flag', datatype: 'BOOL', shape: [2], contentTypes: [] },
      { name: 'id', datatype: 'INT64', shape: [1], contentTypes: [] },
      { name: 'name', datatype: 'BYTES', shape: [1], contentTypes: [] },
    ];
    expect(loadPipelineSamples(specWith(declared)).samples[0]?.inputs).toEqual({
      pair: { datatype: 'FP32', shape: [2, 2], data: Float32Array.from([1, 2, 3, 4.5]) },
      flag: { datatype: 'BOOL', shape: [2], data: Uint8Array.from([1, 0]) },
      id: { datatype: 'INT64', shape: [1], data: BigInt64Array.from([7n]) },
      name: { datatype: 'BYTES', shape: [1], data: ['x'] },
    });
  });

  it.each([
    ['{"other": 1}', 'its JSON has no tensor pair'],
    ['{"pair": [[1, 2], [3]]}', 'tensor pair: rows of unequal length'],
    ['{"pair": [1, 2]}', 'tensor pair: shape [2] where [-1, 2] is declared'],
    ['{"pair": [["1", 2]]}', 'tensor pair: numbers expected'],
    ['{"pair"', 'its JSON is not an object of tensors'],
  ])('says why %s is no sample', (content, reason) => {
    write({ 'a.json': content });
    expect(() => loadPipelineSamples(specWith([pair]))).toThrow(
      expect.objectContaining({ code: 'FILE_NOT_FOUND', message: expect.stringContaining(`(a.json: ${reason})`) }),
    );
  });

  it('says so if JSON is nested too deeply', () => {
    write({ 'a.json': `{"pair": ${'['.repeat(50_000)}${']'.repeat(50_000)}}` });
    expect(() => loadPipelineSamples(specWith([pair]))).toThrow(/a\.json: it cannot be read/);
  });

  it('refuses fractions in whole numbers', () => {
    write({ 'a.json': '{"pair": [[1, 2.5]]}' });
    expect(() => loadPipelineSamples(specWith([{ ...pair, datatype: 'INT32' }]))).toThrow(/whole numbers expected/);
  });

  it.each([
    ['UINT8', 256],
    ['INT8', -129],
    ['UINT32', -1],
    ['UINT64', -1],
    ['INT32', 2 ** 31],
    ['FP32', 1e39],
  ] as const)('refuses numbers out of the range of %s: %d', (datatype, value) => {
    write({ 'a.json': `{"pair": [[1, ${value}]]}` });
    expect(() => loadPipelineSamples(specWith([{ ...pair, datatype }]))).toThrow(
      `tensor pair: numbers in the range of ${datatype} expected`,
    );
  });

  it('refuses integers that JSON rounds', () => {
    write({ 'a.json': '{"pair": [[1, 9007199254740993]]}' });
    expect(() => loadPipelineSamples(specWith([{ ...pair, datatype: 'INT64' }]))).toThrow(
      /numbers below 2\^53 expected/,
    );
  });

  it('rounds numbers to those of the data type', () => {
    write({ 'a.json': '{"pair": [[0.1, 16777217]]}' });
    const [sample] = loadPipelineSamples(specWith([pair])).samples;
    expect(sample?.inputs['pair']?.data).toEqual(Float32Array.of(0.1, 16777216));
  });

  it('says what to do without samples, and names a missing folder', () => {
    const spec = specWith([image]);
    expect(() => loadPipelineSamples({ ...spec, sources: [{ name: 'in', to: [], tensors: [image] }] })).toThrow(
      expect.objectContaining({
        code: 'INVALID_PIPELINE',
        message: expect.stringMatching(/toy names no samples; give its source in a folder.*or every variant an inline/),
      }),
    );
    expect(() => loadPipelineSamples(specWith([image], './gone'))).toThrow(/folder .*gone cannot be read/);
    expect(() => loadPipelineSamples(spec)).toThrow(/holds no input of source in\.$/);
  });
});
