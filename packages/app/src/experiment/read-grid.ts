import { createHash } from 'node:crypto';
import { isAbsolute, resolve } from 'node:path';
import { controlPolicies } from '@equipoise/core/control';
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
import { machineFingerprint } from '@equipoise/runtime/profiles';
import { loadSpec, problemLines } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { resolveLoad, shippedLoadNames } from '../compose/resolve-load.js';
import { servingSpec } from '../compose/served-spec.js';
import { VERSION } from '../version.js';
import type { CellPipeline, ExperimentCell } from './experiment-cell.js';
import { policyDigest } from './load-own-policy.js';
import { ownPolicyName } from './own-policy-thread.js';
import type { Platform } from './platform.js';
import { rawFileIn } from './raw-requests.js';

export interface ReadGrid {
  readonly grid: ExperimentGrid;
  readonly pipelines: Readonly<Record<string, CellPipeline>>;
  /** Names of built-in policies and of users' policies, in the order of the results. */
  readonly policies: readonly string[];
  readonly platforms: readonly Platform[];
  /** Cells, ordered by pipeline, load, platform, policy and seed. */
  readonly cells: readonly ExperimentCell[];
}

type ValidFile = ExperimentFileResult & { readonly kind: 'valid' };

/** Settings in addition to the grid file. */
export interface GridOptions {
  /** Identifies the simulating code. */
  readonly codeDigest: string;
  /** Default: the simulator. */
  readonly platforms?: readonly Platform[];
  /** Files of users' policies. */
  readonly policyFiles?: readonly string[];
  /** Folder for a line of each request. */
  readonly rawFolder?: string | undefined;
  /** Identifies the cluster and the code of its operator. */
  readonly clusterName?: string | undefined;
}

/** Reads a grid. Throws INVALID_PIPELINE, WRONG_USAGE or POLICY_FAILED with every problem before anything runs. */
export async function readGrid(file: string, options: GridOptions): Promise<ReadGrid> {
  const { codeDigest, platforms = ['simulator'], policyFiles = [], rawFolder, clusterName } = options;
  const read = await loadExperimentFile(file, shippedLoadNames());
  if (read.kind === 'invalid') throw gridError(file, read.problems);
  const { grid } = read;
  const loads = await resolvedLoads(file, read);
  const pipelines = await readPipelines(grid);
  const { seeds, forecaster, excludeFirstS } = grid;
  checkServable(grid, platforms, pipelines);
  if (platforms.includes('cluster') && policyFiles.length > 0)
    throw new AppError(
      'WRONG_USAGE',
      'A policy of your own runs on the platforms simulator and embedded, not on cluster.',
    );
  const policies = await comparedPolicies(grid, policyFiles);
  const placeOf = (platform: Platform, { spec }: CellPipeline): readonly unknown[] => {
    if (platform === 'simulator') return [];
    return [platform, VERSION, platform === 'embedded' ? machineFingerprint(spec.baseDir) : clusterName];
  };
  const cells = Object.entries(pipelines).flatMap(([pipeline, described]) =>
    loads.flatMap(({ name: load, spec: loadSpec }) =>
      platforms.flatMap((platform) =>
        policies.flatMap(({ name: policy, digest: ofPolicy, file: policyFile }) =>
          seeds.map((seed): ExperimentCell => {
            const conditions = { policy, seed, loadSpec, forecaster, excludeFirstS };
            const place = placeOf(platform, described);
            const digest = digestOf([codeDigest, contentOf(described), conditions, ofPolicy, ...place]);
            const named = { pipeline, load, ...conditions, platform };
            return {
              ...named,
              digest,
              ...(policyFile !== undefined && { policyFile }),
              ...(rawFolder !== undefined && { rawFile: rawFileIn(rawFolder, named, digest) }),
            };
          }),
        ),
      ),
    ),
  );
  return { grid, pipelines, policies: policies.map(({ name }) => name), platforms, cells };
}

interface ComparedPolicy {
  readonly name: string;
  readonly file?: string;
  readonly digest?: string;
}

/** Policies of the grid, then those of users. */
async function comparedPolicies(
  { policies }: ExperimentGrid,
  files: readonly string[],
): Promise<readonly ComparedPolicy[]> {
  const own = await Promise.all(
    files.map(async (path): Promise<ComparedPolicy> => {
      const file = resolve(path);
      return { name: await ownPolicyName(file), file, digest: policyDigest(file) };
    }),
  );
  const names = [...builtInPolicies, ...own.map(({ name }) => name)];
  const taken = own.find(({ name }) => names.indexOf(name) !== names.lastIndexOf(name));
  if (taken !== undefined)
    throw new AppError(
      'POLICY_FAILED',
      `${taken.file}: another policy has the name ${taken.name}. Change its \`name\`.`,
    );
  return [...policies.map((name) => ({ name })), ...own];
}

const builtInPolicies: readonly string[] = Object.keys(controlPolicies);

/** A served cell must be the one that is simulated. */
function checkServable(
  { forecaster, loadMs }: ExperimentGrid,
  platforms: readonly Platform[],
  pipelines: ReadGrid['pipelines'],
): void {
  const served = platforms.filter((platform) => platform !== 'simulator');
  if (served.length === 0) return;
  const where = served.join(' and ');
  if (forecaster !== 'smoothed-rate' || loadMs !== undefined) {
    const field = loadMs === undefined ? 'forecaster' : 'loadMs';
    throw new AppError('WRONG_USAGE', `${field} can only be simulated. Remove it from the grid for ${where}.`);
  }
  if (!platforms.includes('embedded')) return;
  for (const [name, { spec }] of Object.entries(pipelines)) {
    const { cpuCores } = servingSpec(spec).budget;
    if (cpuCores === spec.budget.cpuCores) continue;
    const message = `Pipeline ${name} has a budget of ${spec.budget.cpuCores ?? 'any number of'} cores; this machine has ${cpuCores}. Set budget.cpuCores to at most ${cpuCores}, so that all platforms plan for the same budget.`;
    throw new AppError('WRONG_USAGE', message);
  }
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
    read.push({ file, pipeline: { spec, profiles, file: path } });
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
