/** Flags that say how several sources send the parts of a load. `load`, `simulate` and `plan` share them. */
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import type { JoinedStream, SourceBehavior, SourceLoad } from '@equipoise/core/simulate';

export interface SourceFlags {
  readonly source?: Readonly<Record<string, SourceBehavior>>;
  readonly partGapMs?: number;
  readonly keys?: number;
}

/** Throws WRONG_USAGE for an unknown source. */
export function sourceLoadOf(names: readonly string[], { source = {}, partGapMs = 0, keys }: SourceFlags): SourceLoad {
  const unknown = Object.keys(source).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new AppError('WRONG_USAGE', `There is no source ${unknown}; the sources are ${names.join(', ')}.`);
  return { meanGapMs: partGapMs, keys, sources: names.map((name) => source[name] ?? {}) };
}

/** Undefined without such flags, when the load is that of requests that begin. Throws WRONG_USAGE. */
export function sourceLoadFor({ sources }: PipelineSpec, flags: SourceFlags): SourceLoad | undefined {
  if (flags.source === undefined && !flags.partGapMs && flags.keys === undefined) return undefined;
  if (sources.length === 1)
    throw new AppError('WRONG_USAGE', '--source, --part-gap-ms and --keys need a pipeline with several sources.');
  return sourceLoadOf(
    sources.map(({ name }) => name),
    flags,
  );
}

export interface JoinedSpec {
  readonly spec: PipelineSpec;
  readonly stream: JoinedStream | undefined;
}

/** The spec with the shares of the joined stream at this rate; as it is without flags, which need no simulator. */
export async function joinedSpec(spec: PipelineSpec, flags: SourceFlags, arrivalRps: number): Promise<JoinedSpec> {
  const load = sourceLoadFor(spec, flags);
  if (load === undefined) return { spec, stream: undefined };
  const { arrivalRng } = await import('@equipoise/core/control');
  const { joinedStream } = await import('@equipoise/core/simulate');
  const stream = joinedStream(spec, { load, arrivalRps, rng: arrivalRng(1) });
  const sources = spec.sources.map((source, index) =>
    source.onMissing === 'partial' ? { ...source, share: stream.shares[index] ?? 1 } : source,
  );
  return { spec: { ...spec, sources }, stream };
}
