/** The cells of a grid: what each simulates, and the digest of all that its figures depend on. */
import { createHash } from 'node:crypto';
import { isAbsolute, resolve } from 'node:path';
import type { ForecasterName, LoadSpec, PipelineSpec, PolicyName, ProfileSet } from '@equipoise/core';
import type { ExperimentGrid, GridLoad } from '@equipoise/pipeline-file';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { resolveLoad, shippedLoadNames } from '../compose/resolve-load.js';
import type { RunFigures } from '../compose/simulated-run.js';
import { VERSION } from '../version.js';

/** A pipeline as every cell of it takes it. */
export interface CellPipeline {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
}

/** Everything that a cell needs, as plain data. */
export interface ExperimentCell {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: PolicyName;
  readonly seed: number;
  readonly loadSpec: LoadSpec;
  readonly forecaster: ForecasterName;
  readonly excludeFirstS: number;
  readonly digest: string;
}

/** A finished cell: its name with what `simulate` gives. */
export interface CellResult extends RunFigures {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: PolicyName;
  readonly seed: number;
  readonly elapsedMs: number;
}

/** A grid whose files have been read. */
export interface ReadGrid {
  readonly pipelines: Readonly<Record<string, CellPipeline>>;
  readonly cells: readonly ExperimentCell[];
}

/** Reads the pipelines and loads of a grid; throws the AppErrors of reading them. Cells that share verdicts stand together. */
export async function readGrid(grid: ExperimentGrid): Promise<ReadGrid> {
  const pipelines: Record<string, CellPipeline> = {};
  for (const file of grid.pipelines) {
    const path = resolve(grid.baseDir, file);
    const spec = withLoadMs(await loadSpec(path), grid.loadMs);
    const profiles = profilesFor(spec, path).map((profile) => ({ ...profile, loadMs: grid.loadMs ?? profile.loadMs }));
    pipelines[nameFor(spec.name, file, pipelines)] = { spec, profiles };
  }
  const loads = await Promise.all(grid.loads.map(async (load) => resolvedLoad(load, grid.baseDir)));
  const { policies, seeds, forecaster, excludeFirstS } = grid;
  const cells = Object.entries(pipelines).flatMap(([pipeline, described]) =>
    loads.flatMap(({ name: load, spec }) =>
      policies.flatMap((policy) =>
        seeds.map((seed): ExperimentCell => {
          const conditions = { policy, seed, loadSpec: spec, forecaster, excludeFirstS };
          return { pipeline, load, ...conditions, digest: digestOf(described, conditions) };
        }),
      ),
    ),
  );
  return { pipelines, cells };
}

/** The pipeline's own name, or that of its file where two have the same. */
function nameFor(name: string, file: string, known: Readonly<Record<string, unknown>>): string {
  return Object.hasOwn(known, name) ? file : name;
}

async function resolvedLoad(
  { name, load, ...rest }: GridLoad,
  baseDir: string,
): Promise<{ name: string; spec: LoadSpec }> {
  const path =
    load === undefined || shippedLoadNames().includes(load) || isAbsolute(load) ? load : resolve(baseDir, load);
  const resolved = await resolveLoad({ ...rest, ...(path !== undefined && { load: path }) });
  return { name: name ?? load ?? resolved.name, spec: resolved.spec };
}

function withLoadMs(spec: PipelineSpec, loadMs: number | undefined): PipelineSpec {
  if (loadMs === undefined) return spec;
  const stages = spec.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({ ...variant, loadMs })),
  }));
  return { ...spec, stages };
}

/** Paths do not enter: the same pipeline elsewhere is the same experiment. */
function digestOf({ spec, profiles }: CellPipeline, conditions: object): string {
  const { baseDir: _, ...pipeline } = spec;
  return createHash('sha256')
    .update(JSON.stringify([VERSION, pipeline, profiles, conditions]))
    .digest('hex')
    .slice(0, 32);
}
