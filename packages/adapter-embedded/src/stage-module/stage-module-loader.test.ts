import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fixtures } from '../obeying-stage.test-support.js';
import { ModuleCompiler } from './compile-module.js';
import { locateStageModule } from './stage-module-loader.js';

const locate = (module: string) => locateStageModule(module, fixtures, new ModuleCompiler());

describe('locateStageModule', () => {
  it('takes JavaScript as it is', async () => {
    expect(await locate('./obey.mjs')).toEqual({
      kind: 'file',
      url: pathToFileURL(join(fixtures, 'obey.mjs')).href,
    });
  });

  it('compiles TypeScript', async () => {
    const location = await locate('typed.ts');
    expect(location).toMatchObject({ url: expect.stringMatching(/\.equipoise\/modules\/[0-9a-f]+\.mjs$/) });
  });

  it('leaves the export of a package to the replica, to be looked up from the pipeline first', async () => {
    const location = await locate('npm:@equipoise/adapter-onnx/stage');
    expect(location).toMatchObject({
      kind: 'package',
      specifier: '@equipoise/adapter-onnx/stage',
      fromUrls: [pathToFileURL(join(fixtures, 'package.json')).href, expect.anything()],
    });
  });

  it.each([
    ['./missing.ts', 'FILE_NOT_FOUND', `no file ${join(fixtures, 'missing.ts')}`],
    ['npm:not-installed-stage', 'FILE_NOT_FOUND', 'npm install not-installed-stage'],
    ['./stage.py', 'MODULE_INVALID', 'here one in JavaScript or TypeScript is needed'],
    ['./stage.wasm', 'MODULE_INVALID', 'none of .js, .mjs, .cjs, .ts, .mts, .py or npm:package/export'],
  ])('says what is wrong with %s', async (module, code, message) => {
    await expect(locate(module)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
