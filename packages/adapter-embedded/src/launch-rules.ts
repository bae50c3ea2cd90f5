/** Rules for finding and running the files of a stage; profiles depend on these rules. */
import type { Isolation, StageSpec } from '@equipoise/core/model';
import { pythonProgram, pythonVersion } from './process/python-program.js';
import { locateFile } from './stage-module/stage-artifact.js';
import { isPython } from './stage-module/stage-module-loader.js';

interface Runtime {
  readonly isolation: Isolation;
  readonly pythonVersion?: string;
}

function runtimeOf(stage: StageSpec, baseDir: string): Runtime {
  if (stage.module === undefined || !isPython(stage.module)) return { isolation: stage.isolation ?? 'thread' };
  const version = pythonVersion(pythonProgram(stage, baseDir));
  return { isolation: 'process', ...(version !== undefined && { pythonVersion: version }) };
}

export const launchRules = { locate: locateFile, runtimeOf } as const;
export { missingReference } from './stage-module/stage-artifact.js';
