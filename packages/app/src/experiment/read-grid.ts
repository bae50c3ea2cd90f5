import { createHash } from 'node:crypto';
import { isAbsolute, resolve } from 'node:path';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { type LoadSpec, loadDurationS } from '@equipoise/core/simulate';
import type { Problem } from '@equipoise/pipeline-file';
import {
  type ExperimentFileResult,
  type ExperimentGrid,
  type GridLoad,
  loadExperimentFile,
} from '@equipoise/pipeline-file/experiment';
import { loadSpec, problemLines } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { resolveLoad, shippedLoadNames } from '../compose/resolve-load.js';
import type { CellPipeline, ExperimentCell } from './experiment-cell.js';

export interface ReadGrid {
  readonly grid: ExperimentGrid;
  readonly pipelines: Readonly<Record<string, CellPipeline>>;
  /** Cells, ordered by pipeline, load, policy and seed. */
  readonly cells: readonly ExperimentCell[];
}

type ValidFile = ExperimentFileResult & { readonly kind: 'valid' };

/**
 * Reads a grid; `codeDigest` identifies the simulating code. Throws INVALID_PIPELINE with every problem before any
 * simulation.
 */
export async function readGrid(file: string, codeDigest: string): Promise<ReadGrid> {
  const read = await loadExperimentFile(file, shippedLoadNames());
  if (read.kind === 'invalid') throw gridError(file, read.problems);
  const { grid } = read;
  const loads = await resolvedLoads(file, read);
  const pipelines = await readPipelines(grid);
  const { policies, seeds, forecaster, excludeFirstS } = grid;
  const cells = Object.entries(pipelines).flatMap(([pipeline, described]) =>
    loads.flatMap(({ name: load, spec }) =>
      policies.flatMap((policy) =>
        seeds.map((seed): ExperimentCell => {
          const conditions = { policy, seed, loadSpec: spec, forecaster, excludeFirstS };
          return { pipeline, load, ...conditions, digest: digestOf([codeDigest, contentOf(described), conditions]) };
        }),
      ),
    ),
  );
  return { grid, pipelines, cells };
}

function gridError(file: string, problems: readonly Problem[]): AppError {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  const message = `${file} has ${count}:\n${problemLines(file, problems).join('\n')}`;
  return new AppError('INVALID_PIPELINE', message, { details: { problems } });
}

interface NamedLoad {
  readonly name: string;
  readonly spec: LoadSpec;
}

async function resolvedLoads(file: string, { grid, problemAt }: ValidFile): Promise<readonly NamedLoad[]> {
  const read = await Promise.all(grid.loads.map((load) => loadOrReason(load, grid.baseDir)));
  const loads = read.filter((load) => typeof load !== 'string');
  const shortest = loads.reduce((least, { spec }) => Math.min(least, loadDurationS(spec)), Number.POSITIVE_INFINITY);
  const problems = read.flatMap((reason, i) =>
    typeof reason === 'string' ? [problemAt({ path: ['spec', 'loads', i], message: reason })] : [],
  );
  if (grid.excludeFirstS >= shortest) {
    const message = `expected less than the ${shortest} s of the shortest load, found ${grid.excludeFirstS}`;
    problems.push(problemAt({ path: ['spec', 'excludeFirstS'], message }));
  }
  if (problems.length > 0) throw gridError(file, problems);
  return loads;
}

async function loadOrReason({ name, load, ...rest }: GridLoad, baseDir: string): Promise<NamedLoad | string> {
  const inPlace = load === undefined || shippedLoadNames().includes(load) || isAbsolute(load);
  const path = inPlace ? load : resolve(baseDir, load);
  try {
    const { spec } = await resolveLoad({ ...rest, ...(path !== undefined && { load: path }) });
    return { name, spec };
  } catch (error) {
    if (error instanceof AppError) return error.message.replace('--arrivals', 'arrivals');
    throw error;
  }
}

async function readPipelines({ pipelines, baseDir, loadMs }: ExperimentGrid): Promise<Record<string, CellPipeline>> {
  const read: { readonly file: string; readonly pipeline: CellPipeline }[] = [];
  for (const file of pipelines) {
    const path = resolve(baseDir, file);
    const spec = withLoadMs(await loadSpec(path), loadMs);
    const profiles = profilesFor(spec, path).map((profile) => ({ ...profile, loadMs: loadMs ?? profile.loadMs }));
    requireCurves(spec, profiles);
    read.push({ file, pipeline: { spec, profiles } });
  }
  const names = read.map(({ pipeline: { spec } }) => spec.name);
  const isOwn = (name: string): boolean => names.indexOf(name) === names.lastIndexOf(name);
  return Object.fromEntries(
    read.map(({ file, pipeline }) => [isOwn(pipeline.spec.name) ? pipeline.spec.name : file, pipeline]),
  );
}

function withLoadMs(spec: PipelineSpec, loadMs: number | undefined): PipelineSpec {
  if (loadMs === undefined) return spec;
  const stages = spec.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({ ...variant, loadMs })),
  }));
  return { ...spec, stages };
}

/** Content of a pipeline without paths: a moved pipeline is the same experiment. */
function contentOf({ spec, profiles }: CellPipeline): object {
  const { baseDir: _, ...pipeline } = spec;
  return { pipeline, profiles };
}

const digestOf = (content: unknown): string =>
  createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32);
