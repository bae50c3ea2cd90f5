import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { locateFile, missingReference, packageReference, resolveArtifact } from './stage-artifact.js';

const baseDir = mkdtempSync(join(tmpdir(), 'equipoise-artifacts-'));
const packages = join(baseDir, 'node_modules');

for (const [name, manifest] of [
  ['models', { name: 'models', exports: {} }],
  ['@scope/models', { name: '@scope/models' }],
] as const) {
  mkdirSync(join(packages, name, 'assets'), { recursive: true });
  writeFileSync(join(packages, name, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(packages, name, 'assets', 'net.onnx'), '');
}
writeFileSync(join(baseDir, 'net.onnx'), '');
mkdirSync(join(baseDir, 'pipelines'));

afterAll(() => rmSync(baseDir, { recursive: true }));

describe('resolveArtifact', () => {
  it.each([
    ['./net.onnx', baseDir, join(baseDir, 'net.onnx')],
    ['../net.onnx', join(baseDir, 'pipelines'), join(baseDir, 'net.onnx')],
    [join(baseDir, 'net.onnx'), '/', join(baseDir, 'net.onnx')],
    ['npm:models/assets/net.onnx', baseDir, join(packages, 'models/assets/net.onnx')],
    ['npm:@scope/models/assets/net.onnx', join(baseDir, 'pipelines'), join(packages, '@scope/models/assets/net.onnx')],
  ])('finds %s', (artifact, from, path) => {
    expect(resolveArtifact(artifact, from)).toBe(path);
  });

  it('finds packages that are installed with Equipoise, whatever the folder', () => {
    expect(resolveArtifact('npm:esbuild/package.json', '/')).toMatch(/node_modules\/esbuild\/package\.json$/);
  });

  it.each([
    ['./missing.onnx', 'FILE_NOT_FOUND', join(baseDir, 'missing.onnx')],
    ['npm:models/missing.onnx', 'FILE_NOT_FOUND', join(packages, 'models/missing.onnx')],
    ['npm:not-installed-models/net.onnx', 'FILE_NOT_FOUND', 'npm install not-installed-models'],
    ['https://models.example/net.onnx', 'MODEL_LOAD_FAILED', 'not https:'],
    ['s3://bucket/net.onnx', 'MODEL_LOAD_FAILED', 'not s3:'],
  ])('says what is wrong with %s', (artifact, code, message) => {
    const expected = expect.objectContaining({ code, message: expect.stringContaining(message) });
    expect(() => resolveArtifact(artifact, baseDir)).toThrow(expected);
  });
});

describe('locateFile', () => {
  it('is where resolveArtifact finds a file, also one that is not there', () => {
    for (const artifact of ['./net.onnx', 'npm:@scope/models/assets/net.onnx', 'npm:esbuild/package.json'])
      expect(locateFile(artifact, baseDir)).toBe(resolveArtifact(artifact, baseDir));
    expect(locateFile('./missing.onnx', baseDir)).toBe(join(baseDir, 'missing.onnx'));
    expect(locateFile('npm:not-installed-models/net.onnx', baseDir)).toBeUndefined();
    expect(locateFile('https://models.example/net.onnx', baseDir)).toBeUndefined();
  });
});

describe('missingReference', () => {
  it.each([
    ['artifact', './net.onnx', undefined],
    ['samples folder', './pipelines', undefined],
    ['artifact', 'npm:models/assets/net.onnx', undefined],
    ['artifact', 'https://models.example/net.onnx', undefined],
    ['module', 'npm:models/an-export', undefined],
    [
      'module',
      './missing.ts',
      `The module ./missing.ts is not there: no file ${join(baseDir, 'missing.ts')}. Create it or correct the path.`,
    ],
    ['artifact', 'npm:models/missing.onnx', `no file ${join(packages, 'models/missing.onnx')}.`],
    ['accuracy table', 'https://models.example/t.json', 'Create it or correct the path.'],
    ['module', 'npm:not-installed/stage', 'run `npm install not-installed` there.'],
  ] as const)('of the %s %s', (what, reference, message) => {
    const expected = message === undefined ? undefined : expect.stringContaining(message);
    expect(missingReference(what, reference, baseDir)).toEqual(expected);
  });
});

describe('packageReference', () => {
  it.each([
    ['models', { packageName: 'models', path: '' }],
    ['models/a/b', { packageName: 'models', path: 'a/b' }],
    ['@scope/models/a', { packageName: '@scope/models', path: 'a' }],
  ])('reads %s', (reference, expected) => {
    expect(packageReference(reference)).toEqual(expected);
  });
});
