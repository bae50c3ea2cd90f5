import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { locateFile, packageReference, resolveArtifact } from './stage-artifact.js';

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
  ])('finds %s', async (artifact, from, path) => {
    expect(await resolveArtifact(artifact, from)).toBe(path);
  });

  it('finds packages that are installed with Equipoise, whatever the folder', async () => {
    expect(await resolveArtifact('npm:esbuild/package.json', '/')).toMatch(/node_modules\/esbuild\/package\.json$/);
  });

  it.each([
    ['./missing.onnx', 'FILE_NOT_FOUND', join(baseDir, 'missing.onnx')],
    ['npm:models/missing.onnx', 'FILE_NOT_FOUND', join(packages, 'models/missing.onnx')],
    ['npm:not-installed-models/net.onnx', 'FILE_NOT_FOUND', 'npm install not-installed-models'],
    ['https://models.example/net.onnx', 'MODEL_LOAD_FAILED', 'not https:'],
    ['s3://bucket/net.onnx', 'MODEL_LOAD_FAILED', 'not s3:'],
  ])('says what is wrong with %s', async (artifact, code, message) => {
    await expect(resolveArtifact(artifact, baseDir)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});

describe('locateFile', () => {
  it('is where resolveArtifact finds a file, also one that is not there', async () => {
    for (const artifact of ['./net.onnx', 'npm:@scope/models/assets/net.onnx', 'npm:esbuild/package.json'])
      expect(locateFile(artifact, baseDir)).toBe(await resolveArtifact(artifact, baseDir));
    expect(locateFile('./missing.onnx', baseDir)).toBe(join(baseDir, 'missing.onnx'));
    expect(locateFile('npm:not-installed-models/net.onnx', baseDir)).toBeUndefined();
    expect(locateFile('https://models.example/net.onnx', baseDir)).toBeUndefined();
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
