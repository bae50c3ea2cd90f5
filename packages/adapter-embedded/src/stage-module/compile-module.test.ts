import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModuleCompiler } from './compile-module.js';

let baseDir: string;
let compiler: ModuleCompiler;

const write = (name: string, content: string): string => {
  const path = join(baseDir, name);
  writeFileSync(path, content);
  return path;
};
const imported = (path: string): Promise<Record<string, unknown>> =>
  import(/* @vite-ignore */ pathToFileURL(path).href);
const modules = (): string[] => readdirSync(join(baseDir, '.equipoise', 'modules'));

beforeEach(() => {
  baseDir = mkdtempSync(join(tmpdir(), 'equipoise-modules-'));
  compiler = new ModuleCompiler();
});

afterEach(() => {
  rmSync(baseDir, { recursive: true });
});

describe('ModuleCompiler', () => {
  it('bundles what is imported by path and leaves packages to Node', async () => {
    write('part.ts', 'export const part: string = "part";');
    mkdirSync(join(baseDir, 'node_modules', 'kept'), { recursive: true });
    const source = write(
      'stage.ts',
      'import { sep } from "node:path"; import { part } from "./part.js"; import "kept"; export const whole = part + sep;',
    );
    const path = await compiler.compile(source, baseDir);
    expect(path).toMatch(/\.equipoise\/modules\/[0-9a-f]{24}\.mjs$/);
    const text = readFileSync(path, 'utf8');
    expect(text).toContain('import "kept"');
    expect(text).toContain('sourceMappingURL=data:');
    expect(text).not.toContain('./part.js');
  });

  it('removes what was compiled long ago, and compiles it again for who still wants it', async () => {
    const first = write('first.ts', 'export const name = 1;');
    const second = write('second.ts', 'export const name = 2;');
    const old = await compiler.compile(first, baseDir);
    const longAgo = Date.now() / 1000 - 31 * 24 * 3600;
    utimesSync(old, longAgo, longAgo);
    await compiler.compile(second, baseDir);
    expect(modules()).toHaveLength(1);
    expect(await compiler.compile(first, baseDir)).toBe(old);
    expect(modules()).toHaveLength(2);
  });

  it('imports a package that the pipeline has not installed from where Equipoise is', async () => {
    const source = write('stage.ts', 'import { AppError } from "@equipoise/core"; export const name = AppError.name;');
    const path = await compiler.compile(source, baseDir);
    expect(await imported(path)).toMatchObject({ name: 'AppError' });
  });

  it("prefers the pipeline's own package of the same name", async () => {
    const own = join(baseDir, 'node_modules', '@equipoise', 'core');
    mkdirSync(own, { recursive: true });
    write(
      'node_modules/@equipoise/core/package.json',
      '{"name":"@equipoise/core","type":"module","exports":"./own.js"}',
    );
    write('node_modules/@equipoise/core/own.js', 'export const AppError = { name: "own" };');
    const source = write('stage.ts', 'import { AppError } from "@equipoise/core"; export const name = AppError.name;');
    expect(await imported(await compiler.compile(source, baseDir))).toMatchObject({ name: 'own' });
  });

  it('leaves a package that is installed nowhere to the error of the import', async () => {
    const source = write('stage.ts', 'import "not-installed-anywhere";');
    await expect(imported(await compiler.compile(source, baseDir))).rejects.toThrow('not-installed-anywhere');
  });

  it('keeps the place of the source for `import.meta`', async () => {
    const source = write(
      'stage.ts',
      'export const place = [import.meta.url, import.meta.dirname, import.meta.filename];',
    );
    const { place } = await imported(await compiler.compile(source, baseDir));
    expect(place).toEqual([pathToFileURL(source).href, baseDir, source]);
  });

  it('compiles once while nothing changes', async () => {
    const source = write('stage.ts', 'export const one = 1;');
    const [path, same] = await Promise.all([compiler.compile(source, baseDir), compiler.compile(source, baseDir)]);
    const { mtimeMs } = statSync(path);
    expect(same).toBe(path);
    expect(await compiler.compile(source, baseDir)).toBe(path);
    expect(statSync(path).mtimeMs).toBe(mtimeMs);
    expect(modules()).toHaveLength(1);
  });

  it('keeps the modules of two pipelines apart, because their packages may differ', async () => {
    const source = write('stage.ts', 'export const one = 1;');
    const other = join(baseDir, 'other');
    mkdirSync(other);
    await compiler.compile(source, baseDir);
    expect(await compiler.compile(source, other)).toContain(join(other, '.equipoise'));
  });

  it('compiles anew when a bundled file changes or the result is gone', async () => {
    write('part.ts', 'export const part = 1;');
    const source = write('stage.ts', 'export { part } from "./part.js";');
    const before = await compiler.compile(source, baseDir);
    write('part.ts', 'export const part = 2;');
    const after = await compiler.compile(source, baseDir);
    expect([(await imported(before))['part'], (await imported(after))['part']]).toEqual([1, 2]);
    rmSync(after);
    expect(await compiler.compile(source, baseDir)).toBe(after);
    expect(modules()).toHaveLength(2);
  });

  it('does not depend on the folder of the process, which may be gone', async () => {
    write('part.ts', 'export const part = ;');
    const source = write('stage.ts', 'export { part } from "./part.js";');
    const [here, gone] = [process.cwd(), join(baseDir, 'a', 'deep', 'folder')];
    mkdirSync(gone, { recursive: true });
    process.chdir(gone);
    const first = await compiler.compile(source, baseDir).catch(String);
    process.chdir(here);
    expect(first).toContain('\npart.ts:1:21: ');
    rmSync(gone, { recursive: true });
    write('part.ts', 'export const part = 1;');
    expect(await imported(await compiler.compile(source, baseDir))).toMatchObject({ part: 1 });
  });

  it('tells file, line and column of each error, and works once it is corrected', async () => {
    const source = write('stage.ts', 'export const one = 1;\nexport const two = ;\n');
    await expect(compiler.compile(source, baseDir)).rejects.toMatchObject({
      code: 'MODULE_INVALID',
      message: `The module ${source} does not compile:\nstage.ts:2:20: Unexpected ";"`,
    });
    write('stage.ts', 'export const one = 1;');
    expect(await compiler.compile(source, baseDir)).toMatch(/\.mjs$/);
  });

  it('tells where an import leads nowhere', async () => {
    const source = write('stage.ts', 'import "./nowhere.js";');
    await expect(compiler.compile(source, baseDir)).rejects.toMatchObject({
      code: 'MODULE_INVALID',
      message: expect.stringContaining('stage.ts:1:8: Could not resolve "./nowhere.js"'),
    });
  });

  it('uses what was compiled before where nothing can be written any more', async () => {
    const source = write('stage.ts', 'export const one = 1;');
    const before = await compiler.compile(source, baseDir);
    utimesSync(before, 0, 0);
    expect(await new ModuleCompiler().compile(source, baseDir)).toBe(before);
    expect(statSync(before).mtimeMs).toBe(0);
  });

  it('says when the result cannot be written', async () => {
    const source = write('stage.ts', 'export const one = 1;');
    mkdirSync(join(baseDir, '.equipoise'));
    write('.equipoise/modules', 'a file where the folder should be');
    await expect(compiler.compile(source, baseDir)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
