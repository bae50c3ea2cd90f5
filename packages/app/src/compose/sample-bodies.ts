import { readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { loadPipelineSamples, mediaTypeOf } from '@equipoise/runtime';

/** File that a load generator sends as a body. */
export interface SampleBody {
  readonly path: string;
  readonly contentType: string;
}

/** Sample files of the only source; none if all stages are synthetic. Throws INVALID_PIPELINE, FILE_NOT_FOUND. */
export function sampleBodies(spec: PipelineSpec): readonly SampleBody[] {
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

const EMPTY = { contentType: 'application/json', bytes: new TextEncoder().encode('{}') };

/** Bodies to send. Without files, one empty JSON object: synthetic stages do not look at their inputs. */
export async function readBodies(
  files: readonly SampleBody[],
): Promise<readonly { readonly contentType: string; readonly bytes: Uint8Array }[]> {
  if (files.length === 0) return [EMPTY];
  return Promise.all(files.map(async ({ path, contentType }) => ({ contentType, bytes: await readFile(path) })));
}
