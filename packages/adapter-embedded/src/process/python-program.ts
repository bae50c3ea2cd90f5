/** The Python that a stage is run by. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { StageSpec } from '@equipoise/core/model';

/** Program that runs Python where a stage names none. */
const DEFAULT_PYTHON = 'python3';
/** An interpreter answers within some 20 ms, on a machine that is busy within seconds; one that hangs must not hang whoever asks. */
const ANSWER_TIMEOUT_MS = 60_000;

/** A path, or a name to look up. */
export function pythonProgram({ python = DEFAULT_PYTHON }: StageSpec, baseDir: string): string {
  return python.includes('/') ? resolve(baseDir, python) : python;
}

/** Name and version of an interpreter, such as `cpython 3.11.2`; undefined where it cannot be asked. Blocks while it is. */
export function pythonVersion(program: string): string | undefined {
  const code = 'import sys; print(sys.implementation.name, sys.version.split()[0])';
  const { status, stdout } = spawnSync(program, ['-I', '-S', '-c', code], {
    encoding: 'utf8',
    timeout: ANSWER_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : undefined;
}
