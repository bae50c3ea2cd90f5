import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { StageSpec } from '@equipoise/core/model';

const DEFAULT_PYTHON = 'python3';
/** Maximum wait: a hanging interpreter must not block its caller, but a busy machine needs seconds. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Python program: a path, or a name on the PATH. */
export function pythonProgram({ python = DEFAULT_PYTHON }: StageSpec, baseDir: string): string {
  return python.includes('/') ? resolve(baseDir, python) : python;
}

/** Version such as `cpython 3.11.2`; undefined without an answer. Blocks the thread. */
export function pythonVersion(program: string): string | undefined {
  const code = 'import sys; print(sys.implementation.name, sys.version.split()[0])';
  const { status, stdout } = spawnSync(program, ['-I', '-S', '-c', code], {
    encoding: 'utf8',
    timeout: ANSWER_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : undefined;
}
