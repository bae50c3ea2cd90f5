import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StageSpec } from '@equipoise/core/model';
import { afterAll, describe, expect, it } from 'vitest';
import { launchRules } from './launch-rules.js';
import { requestFor } from './obeying-stage.test-support.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-rules-'));
afterAll(() => rmSync(folder, { recursive: true }));

const runtimeOf = (over: Partial<StageSpec>) =>
  launchRules.runtimeOf({ ...requestFor('./a.js').stage, ...over }, folder);

/** Fake interpreter, so that no Python is needed. */
function interpreter(name: string, script: string): string {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
  return `./${name}`;
}

describe('launchRules', () => {
  it('tell the isolation of a stage', () => {
    expect(runtimeOf({})).toEqual({ isolation: 'thread' });
    expect(runtimeOf({ isolation: 'process' })).toEqual({ isolation: 'process' });
  });

  it('tell the version of the Python that runs a stage, which has a process whatever it says', () => {
    const python = interpreter('answers', 'echo "cpython 3.99.1"');
    expect(runtimeOf({ module: './a.py', python })).toEqual({ isolation: 'process', pythonVersion: 'cpython 3.99.1' });
  });

  it('tell no version where there is no Python or it fails', () => {
    const failing = interpreter('fails', 'echo "cpython 3.99.1"; exit 1');
    for (const python of ['./none', 'no-such-python', failing])
      expect(runtimeOf({ module: './a.py', python })).toEqual({ isolation: 'process' });
  });
});
