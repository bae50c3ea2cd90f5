import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dropForeignBinaries } from './foreign-binaries.js';

let modules: string;

beforeEach(() => {
  modules = mkdtempSync(join(tmpdir(), 'equipoise-modules-'));
  for (const system of ['darwin/arm64', 'linux/arm64', 'linux/x64', 'win32/x64']) {
    const folder = join(modules, 'onnxruntime-node', 'bin', 'napi-v6', system);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'library'), system);
  }
});

afterEach(() => rmSync(modules, { recursive: true }));

const left = () =>
  readdirSync(modules, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('library'))
    .map((path) => path.split('/').slice(-3, -1).join('/'))
    .sort();

it('keeps the libraries of this machine only, also when it runs again', () => {
  for (let run = 0; run < 2; run++) dropForeignBinaries(modules, { platform: 'linux', arch: 'x64' });
  expect(left()).toEqual(['linux/x64']);
});

it('keeps all where the package has none for this machine, and needs no package', () => {
  dropForeignBinaries(modules, { platform: 'linux', arch: 'riscv64' });
  expect(left()).toHaveLength(4);
  dropForeignBinaries(join(modules, 'elsewhere'), { platform: 'linux', arch: 'x64' });
});
