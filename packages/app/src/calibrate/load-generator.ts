import { type ChildProcess, fork } from 'node:child_process';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { loadPipelineSamples, mediaTypeOf } from '@equipoise/runtime';
import type { LoadAnswer, LoadTask } from './load-process.js';

/** The load generator, a process of its own. One task at a time. */
export class LoadGenerator {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./load-process.js', import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  run(task: LoadTask): Promise<LoadAnswer> {
    return new Promise((done, reject) => {
      const ended = (code: number | null) =>
        reject(new AppError('UNREACHABLE', `The load generator ended with exit code ${code} before its load did.`));
      this.#child.once('exit', ended);
      this.#child.once('message', (answer) => {
        this.#child.off('exit', ended);
        done(answer as LoadAnswer);
      });
      this.#child.send(task);
    });
  }

  end(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.kill();
  }
}

/** Sample files of the only source; none if all stages are synthetic. Throws INVALID_PIPELINE, FILE_NOT_FOUND. */
export function sampleBodies(spec: PipelineSpec): LoadTask['bodies'] {
  const [source, ...others] = spec.sources;
  if (others.length > 0) {
    const message = `Pipeline ${spec.name} has ${spec.sources.length} sources; expected one, because the parts of joined sources arrive at their own times. Use a pipeline with the same stages and one source.`;
    throw new AppError('INVALID_PIPELINE', message);
  }
  if (source?.samplesPath === undefined && spec.stages.every(({ module }) => module === undefined)) return [];
  const folder = resolve(spec.baseDir, source?.samplesPath ?? '.');
  return loadPipelineSamples(spec).samples.map(({ name }) => ({
    path: join(folder, name),
    contentType: mediaTypeOf(extname(name)),
  }));
}
